// The report over made-up recordings: what it has to hold, and what must never get into it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleJudgement, sampleRecording } from '../../../test-support/chaos/sample.ts';
import type { Judgement } from '../../kit/verdict.ts';
import type { FaultRecord, Recording, RequestRow } from '../journal.ts';
import { formatRequestsCsv } from './csv.ts';
import { renderReport, renderSummary } from './report.ts';

const EXTRAS = {
  versions: { node: '24.11.0', docker: '26.1.5' },
  replay: 'npm run chaos -- --replay plan.json',
};
const HOSTILE = `"><script>alert('x')</script>&\u0000`;

const full = sampleRecording();
const empty: Recording = { ...full, requests: [], faults: [], events: [], tables: [], names: {} };

function render(recording: Recording, judgement: Judgement = sampleJudgement(), title = 'tour') {
  return renderReport({ title, recording, judgement, ...EXTRAS });
}

/** What a person or a screen reader gets to read, without tags. */
function textOf(html: string): string {
  return html.replace(/<(style|script)>[\s\S]*?<\/\1>/g, '').replace(/<[^>]*>/g, ' ');
}

function fault(change: Partial<FaultRecord>): FaultRecord {
  return { ...(full.faults[0] as FaultRecord), ...change };
}

/** The same in the eyes of three proxies. */
function threefold(): Recording {
  const { tables, events, listens, closes } = full;
  const others = ['proxy-2', 'proxy-3'].map((proxy) => ({ proxy, tables, events, listens, closes }));
  return { ...full, others };
}

const CASES: [name: string, recording: Recording, judgement?: Judgement][] = [
  ['a full tour', full],
  ['no request', { ...full, requests: [] }],
  ['no fault', { ...full, faults: [], events: [] }],
  ['nothing at all', { ...empty, phases: [], endedMs: 0 }, { verdict: 'unknown', findings: [] }],
  ['cut short in a fault', cutShort()],
  ['numbers that are none', { ...full, endedMs: Number.NaN, startLagP99Ms: Number.NaN }],
  [
    'a latency that is none',
    { ...full, requests: full.requests.map((row) => ({ ...row, latencyMs: Number.NaN })) },
  ],
  [
    'only losses',
    { ...full, requests: full.requests.map((row) => ({ ...row, outcome: 'lost', detail: 'reset' })) },
  ],
];

function cutShort(): Recording {
  const endedMs = 28_000;
  const faults = full.faults.slice(0, 1).map((each) => ({
    ...each,
    healMs: null,
    healedMs: null,
    hits: each.hits.map((hit) => ({ ...hit, healMs: null, healedMs: null })),
  }));
  const requests = full.requests.filter(({ dueMs }) => dueMs < endedMs);
  const events = full.events.filter(({ atMs }) => atMs < endedMs);
  return {
    ...full,
    endedMs,
    faults,
    requests,
    events,
    cutShort: 'interrupted by SIGINT',
    leftovers: ['server-p1-1 is down'],
  };
}

for (const [name, recording, judgement] of CASES) {
  test(`renders ${name}: whole, self-contained, and the same each time`, () => {
    const html = render(recording, judgement);
    assert.equal(render(recording, judgement), html);
    assert.doesNotMatch(html, /\b(?:NaN|undefined|Infinity|null)\b/);
    assert.doesNotMatch(html, /https?:|\ssrc=|@import|url\((?!#)|<link/i);
    assert.match(html, /^<!doctype html>/);
    assert.equal(html.match(/<figure>/g)?.length, 8);
  });
}

test('each of several proxies has its lane, with the faults done to it, and lanes of its servers', () => {
  const html = render(threefold());
  assert.equal(html.match(/<figure>/g)?.length, 10);
  const own = html.match(/<figure>(?:(?!<\/figure>)[\s\S])*in the eyes of[\s\S]*?<\/figure>/g) ?? [];
  assert.equal(own.length, 3);
  own.forEach((figure, index) => {
    const text = textOf(figure);
    assert.ok(text.includes(`in the eyes of proxy-${index + 1}`));
    for (const name of [`proxy-${index + 1}`, ...Object.values(full.names)]) {
      if (!name.startsWith('proxy') || name === `proxy-${index + 1}`) assert.ok(text.includes(name), name);
    }
    assert.equal(figure.includes('proxy-stop'), index === 0, 'only the first one was stopped');
  });
  assert.match(textOf(html), /One point per hit and proxy/);
});

test('ids are unique on the page', () => {
  const ids = [...render(full).matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
  assert.deepEqual(ids, [...new Set(ids)]);
});

test('every fault, server, phase, finding and version can be read', () => {
  const text = textOf(render(full));
  for (const { kind, targets, proof } of full.faults) {
    for (const word of [kind, ...targets, proof]) assert.ok(text.includes(word), word);
  }
  for (const [id, name] of Object.entries(full.names)) {
    assert.ok(text.includes(name), name);
    if (name !== 'proxy-1') assert.ok(text.includes(id), id);
  }
  for (const { name } of full.phases) assert.ok(text.includes(name.slice(0, 4)), name);
  for (const { criterion, measured, limit } of sampleJudgement().findings) {
    for (const word of [criterion, measured, limit])
      assert.ok(text.replaceAll('&lt;', '<').includes(word), word);
  }
  for (const word of ['24.11.0', '26.1.5', EXTRAS.replay, 'Fail']) assert.ok(text.includes(word), word);
});

test('failures come first, whatever order the judge found them in', () => {
  const table = /<table class="findings">[\s\S]*?<\/table>/.exec(render(full))?.[0] ?? '';
  const order = [...table.matchAll(/<tbody class="v-(\w+)"/g)].map(([, verdict]) => verdict);
  assert.deepEqual(
    order,
    [...order].sort((a, b) => 'fup'.indexOf(a?.[0] ?? '') - 'fup'.indexOf(b?.[0] ?? '')),
  );
  assert.equal(order[0], 'fail');
});

test('hostile texts stay text', () => {
  const names = { [`id${HOSTILE}`]: `server-p1-1${HOSTILE}`, constructor: 'server-p2-1' };
  const [event] = full.events;
  const recording: Recording = {
    ...full,
    names,
    plan: {
      ...full.plan,
      scenario: HOSTILE,
      policies: [HOSTILE],
      settings: { [HOSTILE]: HOSTILE } as typeof full.plan.settings,
    },
    faults: [fault({ targets: [HOSTILE], proof: HOSTILE, isProven: false, params: { [HOSTILE]: 1 } })],
    events: event === undefined ? [] : [{ ...event, id: `id${HOSTILE}`, policy: HOSTILE, why: HOSTILE }],
    requests: full.requests.slice(0, 50).map((row, i) => ({
      ...row,
      policy: HOSTILE,
      detail: i < 25 ? HOSTILE : 'toString',
      outcome: i % 2 ? 'wrong' : 'ok',
    })),
    leftovers: [HOSTILE],
    cutShort: HOSTILE,
    startedAt: HOSTILE,
  };
  const finding = {
    criterion: HOSTILE,
    verdict: 'fail',
    measured: HOSTILE,
    limit: HOSTILE,
    n: 1,
    details: [HOSTILE],
  } as const;
  const judgement: Judgement = { verdict: 'fail', findings: [{ ...finding, details: [HOSTILE] }] };
  const extras = { versions: { [HOSTILE]: HOSTILE }, replay: HOSTILE };
  const html = renderReport({ title: HOSTILE, recording, judgement, ...extras });
  assert.ok(!html.includes('<script>alert') && !html.includes("alert('x')") && !html.includes('\u0000'));
  const row = {
    scenario: HOSTILE,
    title: HOSTILE,
    verdict: 'pass',
    measured: HOSTILE,
    folder: `javascript:${HOSTILE}`,
  } as const;
  assert.doesNotMatch(renderSummary([row]), /<script>alert|href="javascript:/);
});

test('100,000 requests stay a small file, and no bad one is left out', () => {
  const recording = sampleRecording(834);
  assert.ok(recording.requests.length >= 100_000);
  const html = render(recording);
  assert.ok(Buffer.byteLength(html) < 3_000_000, `${Buffer.byteLength(html)} bytes`);
  const wrong = recording.requests.filter(({ outcome }) => outcome === 'wrong');
  const drawn = /<g class="symbol k-wrong">([\s\S]*?)<\/g>/.exec(html)?.[1]?.match(/<path/g) ?? [];
  assert.equal(drawn.length, wrong.length);
  assert.match(textOf(html), /100,080/);
});

test('a pass says so, with the bound on what was not seen', () => {
  const requests = full.requests.map(
    (row): RequestRow => ({
      ...row,
      outcome: 'ok',
      detail: 'a1',
      attempts: 1,
      first: null,
    }),
  );
  const findings = sampleJudgement().findings.filter(({ verdict }) => verdict === 'pass');
  const text = textOf(render({ ...full, requests }, { verdict: 'pass', findings }));
  assert.match(text, /All 6 criteria held\./);
  assert.match(text, /rate &lt; 0\.005 % \(95 %\)/);
});

test('a fault without proof, a leftover and a stray answer are said at the top', () => {
  const text = textOf(
    render({
      ...full,
      faults: [fault({ isProven: false, proof: 'nothing was seen' })],
      leftovers: ['proxy-1 is paused'],
      strayAnswers: 2,
    }),
  );
  assert.match(text, /Fault 1 \(kill\) is not proven: nothing was seen/);
  assert.match(text, /Left over after healing: proxy-1 is paused/);
  assert.match(text, /2 answers came that no request waited for/);
});

test('the CSV has a line per request, and quotes what needs it', () => {
  const first = { outcome: 'lost', detail: 'a,"b"', sentMs: 1.00049, openedMs: 1.25, endMs: 2 } as const;
  const row: RequestRow = {
    dueMs: 1.5,
    latencyMs: 0.25,
    policy: '1',
    outcome: 'error',
    detail: '=1+1',
    attempts: 2,
    first,
  };
  const lines = formatRequestsCsv([row, { ...row, first: null, attempts: 1 }]).split('\n');
  assert.equal(lines[1], `1.5,0.25,1,error,'=1+1,2,lost,"a,""b""",1,2,1.25`);
  assert.equal(lines[2], "1.5,0.25,1,error,'=1+1,1,,,,,");
  assert.equal(lines.length, 4);
});

test('the overview links every report, the worst first', () => {
  const row = (scenario: string, verdict: 'pass' | 'fail') => ({
    scenario,
    title: `about ${scenario}`,
    verdict,
    measured: '1 ok',
    folder: `${scenario} x`,
  });
  const html = renderSummary([row('control', 'pass'), row('kill', 'fail')]);
  assert.deepEqual(
    [...html.matchAll(/href="([^"]+)"/g)].map(([, link]) => link),
    ['kill%20x/report.html', 'control%20x/report.html'],
  );
  assert.match(textOf(html), /1 fail, 1 pass/);
  assert.match(textOf(renderSummary([])), /No scenario was run/);
});
