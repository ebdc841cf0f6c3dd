import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatJudgement } from '../kit/report/judgement.ts';
import type { Verdict } from '../kit/verdict.ts';

import { makePlan } from './plan.ts';
import { type Handles, judgeSoak, type Rest, type Sample, type Soak } from './verdict.ts';

const MINUTES = 10;
const MB = 1e6;
const HANDLES: Handles = { socket: 22, pipe: 4, file: 4, other: 10 };
const LIVING = ['1/1', '1/2', '2/3', '2/4', '3/5', '3/6'];
const REST: Rest = { handles: HANDLES, connections: 6, servers: LIVING };

type Shape = (minute: number) => number;

/** @param bytes resident at each minute */
function samplesOf(bytes: Shape, minutes = MINUTES): Sample[] {
  return Array.from({ length: Math.round(minutes * 60) }, (_, second) => ({
    atMs: second * 1000,
    residentBytes: bytes(second / 60),
    handles: HANDLES,
    connections: 38,
    servers: 6,
    ready: 6,
    counts: { ok: 500, wrong: 0, error: 0, lost: 0, dropped: 0 },
  }));
}

function soakOf(changes: Partial<Soak> = {}): Soak {
  const plan = makePlan(1, MINUTES * 60_000);
  return {
    version: 1,
    startedAt: '2026-01-01T00:00:00.000Z',
    seed: 1,
    rate: 500,
    plannedMs: MINUTES * 60_000,
    churnMs: MINUTES * 60_000,
    endedMs: MINUTES * 60_000 + 3000,
    samples: samplesOf(() => 90 * MB),
    actions: plan.map((action) => ({
      action,
      atMs: action.atMs,
      endedMs: action.atMs + action.lastsMs,
      isSkipped: false,
    })),
    counts: { ok: 300_000, wrong: 0, error: 0, lost: 0, dropped: 0 },
    faults: [],
    strayAnswers: 0,
    before: REST,
    after: REST,
    proxyEnded: null,
    problems: [],
    cutShort: null,
    ...changes,
  };
}

// What a collector makes of a heap: it rises, and falls back every seven seconds.
const sawTooth: Shape = (minute) => 90 * MB + (((minute * 60) % 7) / 7) * 25 * MB;
const slowTeeth: Shape = (minute) => 90 * MB + (((minute * 60) % 50) / 50) * 25 * MB;
const peaks: Shape = (minute) => (90 + (Math.round(minute * 60) % 7 === 0 ? minute * 10 : 0)) * MB;
const leak =
  (perMinute: number, shape: Shape): Shape =>
  (minute) =>
    shape(minute) + minute * perMinute * MB;

const memory: [name: string, shape: Shape, verdict: Verdict][] = [
  ['memory that stays', () => 90 * MB, 'pass'],
  ['the saw-tooth of a collector', sawTooth, 'pass'],
  ['teeth longer than a window', slowTeeth, 'pass'],
  ['peaks that grow above a floor that stays', peaks, 'pass'],
  ['memory that shrinks', (minute) => (200 - minute * 5) * MB, 'pass'],
  ['growth in the first half only', (minute) => (90 + Math.min(minute, 5) * 20) * MB, 'pass'],
  ['one late step in the second half', (minute) => (minute > 9.6 ? 130 : 90) * MB, 'pass'],
  ['growth just below the bound', leak(0.9, () => 90 * MB), 'pass'],
  ['growth just above the bound', leak(1.1, () => 90 * MB), 'fail'],
  ['a leak below a saw-tooth', leak(1.5, sawTooth), 'fail'],
  ['a leak below long teeth', leak(2.5, slowTeeth), 'fail'],
  ['growth in the second half only', (minute) => (90 + Math.max(minute - 5, 0) * 2) * MB, 'fail'],
];

for (const [name, shape, verdict] of memory) {
  test(`${verdict}: ${name}`, () => {
    const judgement = judgeSoak(soakOf({ samples: samplesOf(shape) }));
    assert.equal(judgement.verdict, verdict, formatJudgement(judgement));
  });
}

const REST_WITH_LEAK: Rest = { ...REST, handles: { ...HANDLES, socket: 25 } };
const REST_WITH_LESS: Rest = { ...REST, handles: { ...HANDLES, socket: 21 } };
const NO_LOAD = { ok: 0, wrong: 0, error: 0, lost: 0, dropped: 0 };

const cases: [name: string, changes: Partial<Soak>, verdict: Verdict, says: RegExp][] = [
  ['all is well', {}, 'pass', /^(✔ pass .*\n?){9}$/],
  ['a request lost', { counts: { ...NO_LOAD, ok: 9, lost: 1 } }, 'fail', /1 lost of 10 \(passes: 0 lost\)/],
  ['an answer wrong', { counts: { ...NO_LOAD, ok: 9, wrong: 1 } }, 'fail', /1 wrong, 0 unrequested/],
  ['an unrequested answer', { strayAnswers: 2 }, 'fail', /0 wrong, 2 unrequested/],
  [
    'a refusal',
    { counts: { ...NO_LOAD, ok: 9, error: 3 }, faults: ['1.00 s: policy 2, error (NO_SERVER)'] },
    'fail',
    /3 error replies .*\n +1\.00 s: policy 2, error \(NO_SERVER\)/,
  ],
  [
    'open files left',
    { after: REST_WITH_LEAK },
    'fail',
    /open files +43, before 40 \(passes: as many.*\n +socket: 25, before 22/,
  ],
  ['fewer open files', { after: REST_WITH_LESS }, 'fail', /open files +39, before 40/],
  ['connections left', { after: { ...REST, connections: 7 } }, 'fail', /connections +7, before 6/],
  ['a server too many', { after: { ...REST, servers: [...LIVING, '1/guest-3'] } }, 'fail', /7 in it, 6 live/],
  ['one of them gone', { after: { ...REST, servers: LIVING.slice(1) } }, 'fail', /5 in it, 6 live/],
  [
    'the proxy ended',
    { proxyEnded: 'it ended: exit code 1' },
    'fail',
    /the proxy lives +it ended: exit code 1/,
  ],
  [
    'too short',
    { churnMs: 119_000 },
    'unknown',
    /memory +too short to tell: 119 s of churn, and it takes 120 s/,
  ],
  ['an interruption', { cutShort: 'interrupted', after: null }, 'unknown', /the end was not reached/],
  ['nothing sent', { counts: NO_LOAD }, 'unknown', /0 lost of 0/],
  [
    'a load that could not keep up',
    { counts: { ...NO_LOAD, ok: 9000, dropped: 10 } },
    'unknown',
    /10 requests not sent/,
  ],
  [
    'what went wrong beside the proxy',
    { problems: ['server 3 ended by itself'] },
    'unknown',
    /as planned .*\n +server 3 ended by itself/,
  ],
];

for (const [name, changes, verdict, says] of cases) {
  test(`${verdict}: ${name}`, () => {
    const judgement = judgeSoak(soakOf(changes));
    assert.equal(judgement.verdict, verdict, formatJudgement(judgement));
    assert.match(formatJudgement(judgement), says);
  });
}

test('unknown: more than a fifth of the actions was left out', () => {
  const actions = soakOf().actions.map((done, at) => ({ ...done, isSkipped: at % 4 === 0 }));
  assert.equal(judgeSoak(soakOf({ actions })).verdict, 'unknown');
});

test('what has failed stays failed when the run is cut short', () => {
  const counts = { ...NO_LOAD, ok: 9, lost: 1 };
  assert.equal(judgeSoak(soakOf({ counts, cutShort: 'interrupted', after: null })).verdict, 'fail');
});

test('two minutes are enough to tell', () => {
  const short = { churnMs: 120_000, samples: samplesOf(sawTooth, 2) };
  assert.equal(judgeSoak(soakOf(short)).verdict, 'pass');
  const leaking = { churnMs: 120_000, samples: samplesOf(leak(3, sawTooth), 2) };
  assert.equal(judgeSoak(soakOf(leaking)).verdict, 'fail');
});
