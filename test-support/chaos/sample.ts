// pure · a made-up tour of two minutes, and a judgement, for tests and for looking at the report. Nothing in it was measured.

import type { Recording, RequestRow } from '../../scripts/chaos/journal.ts';
import type { FaultKind } from '../../scripts/chaos/plan.ts';
import { Random } from '../../scripts/kit/random.ts';
import type { Judgement } from '../../scripts/kit/verdict.ts';
import { type EventSketch, type FaultSketch, type HitSketch, recordingOf } from './recording-builder.ts';

type Step = [kind: FaultKind, on: string, atS: number, forS: number, outMs: number, backMs: number];
// What is done to which server, when, for how long, and how soon it is out and back; 0: the proxy does not notice.
const STEPS: readonly Step[] = [
  ['kill', 'a1', 26, 6, 17, 310],
  ['restart', 'b2', 31, 0.45, 22, 290],
  ['kill', 'c1', 36, 5, 24, 350],
  ['pause', 'a2', 43, 7, 2130, 1480],
  ['pause', 'c2', 46, 4, 1780, 2010],
  ['flap', 'b1', 53, 8, 0, 0],
  ['partition', 'a1', 63, 6, 2410, 1720],
  ['lie', 'c1', 71, 5, 640, 900],
  ['slow', 'b2', 78, 5, 0, 0],
  ['proxy-stop', 'proxy', 86, 1.2, 0, 0],
  ['partition', 'b1', 92, 5, 1890, 2230],
];
const CALL_MS = 30;
const RESTARTED_AT_S = 86;

/** The tour, with so many requests a second. */
export function sampleRecording(rate = 500): Recording {
  const phases = [
    ['warm-up', 5000],
    ['control', 20_000],
    ['faults', 75_000],
    ['quiet', 8000],
    ['after', 12_000],
  ] as const;
  return recordingOf({
    size: { phases: phases.map(([name, lengthMs]) => [name, lengthMs]), policies: 3, rate },
    plan: { scenario: 'tour', seed: 42, retryForMs: 3000, settings: { FAULTS: '1' } },
    faults: STEPS.map(faultOf),
    events: STEPS.flatMap(eventsOf).sort(([a], [b]) => a - b),
    traffic: suffering(new Random(1)),
    with: { machine: [], startLagP99Ms: 0.31, listens: [-400, 87_240], closes: [86_350] },
  });
}

function faultOf([kind, on, atS, forS]: Step): FaultSketch {
  const fromMs = atS * 1000;
  const hit = (atMs: number, lengthMs: number): HitSketch => [
    on,
    atMs,
    atMs + lengthMs,
    atMs + lengthMs + CALL_MS,
  ];
  const hits =
    kind === 'flap'
      ? Array.from({ length: forS }, (_, second) => hit(fromMs + second * 1000, 200))
      : [hit(fromMs, forS * 1000)];
  const params = kind === 'slow' ? { delayMs: 200 } : kind === 'lie' ? { probability: 0.05 } : {};
  return { kind, hits, params, proof: `${kind} was seen in the inspection of ${on}`, conntrack: 1180 };
}

function eventsOf([kind, on, atS, forS, outMs, backMs]: Step): EventSketch[] {
  const [fromMs, healedMs] = [atS * 1000, (atS + forS) * 1000 + CALL_MS];
  const boot = atS > RESTARTED_AT_S ? 1 : 0;
  if (kind === 'proxy-stop') {
    return ['a1', 'a2', 'b1', 'b2', 'c1', 'c2'].flatMap((id, place): EventSketch[] => [
      [fromMs + 1420 + place * 35, 'registered', id, { boot: 1, why: 'it registered' }],
      [fromMs + 1460 + place * 35, 'admitted', id, { boot: 1, why: 'its first probe passed' }],
    ]);
  }
  if (outMs === 0) return [];
  const out = kind === 'lie' ? 'ejected' : 'evicted';
  const isDead = kind === 'kill' || kind === 'restart';
  return [
    [fromMs + outMs, 'suspect', on, { boot, why: 'its session ended' }],
    [fromMs + outMs + 180, out, on, { boot, why: 'the probe got no answer' }],
    ...(isDead ? [[healedMs + backMs - 60, 'registered', on, { boot }] satisfies EventSketch] : []),
    [healedMs + backMs, 'admitted', on, { boot, why: 'two probes passed' }],
  ];
}

/** What becomes of the requests to a server while it is hit, and of all while the proxy is. */
function suffering(random: Random): (row: RequestRow) => RequestRow {
  const share = (): number => random.between(0, 999) / 1000;
  return (due) => {
    const row = { ...due, latencyMs: due.latencyMs - 1.1 + 0.5 * share() + 0.25 / (share() + 0.02) };
    const step = STEPS.find(
      ([, on, atS, forS]) =>
        (on === 'proxy' || on === row.detail) && row.dueMs >= atS * 1000 && row.dueMs < (atS + forS) * 1000,
    );
    if (step === undefined || row.outcome !== 'ok') return row;
    const [kind, , atS] = step;
    const sinceMs = row.dueMs - atS * 1000;
    if (kind === 'slow') return { ...row, latencyMs: 200 + row.latencyMs };
    if (kind === 'lie') return share() < 0.08 ? { ...row, outcome: 'wrong' } : row;
    if (kind === 'flap')
      return sinceMs % 1000 < 200 ? { ...row, latencyMs: 200 - (sinceMs % 1000) + row.latencyMs } : row;
    if (kind !== 'proxy-stop') return retried(row, 500 + 20 * share());
    if (sinceMs < 40) return { ...row, outcome: 'lost', detail: 'reset', latencyMs: 5 + 8 * share() };
    if (sinceMs < 250) return { ...row, outcome: 'error', detail: 'SHUTTING_DOWN', latencyMs: 1 + share() };
    if (sinceMs > 1100 && share() < 0.02) return { ...row, outcome: 'dropped', detail: 'late', latencyMs: 0 };
    return retried(row, 1420 - sinceMs + 40 * share());
  };
}

/** Answered by the other server of the policy, at the second attempt. */
function retried(row: RequestRow, extraMs: number): RequestRow {
  const { dueMs, detail } = row;
  const first = {
    outcome: 'lost',
    detail: 'reset',
    sentMs: dueMs,
    endMs: dueMs + extraMs,
    openedMs: dueMs,
  } as const;
  const other = `${detail[0]}${detail[1] === '1' ? '2' : '1'}`;
  return { ...row, detail: other, attempts: 2, latencyMs: row.latencyMs + extraMs, first };
}

/** A judgement to look at: one that failed, one that nobody could tell, and some that held. */
export function sampleJudgement(): Judgement {
  const pass = (criterion: string, measured: string, limit: string, n: number, details: string[] = []) =>
    ({ criterion, verdict: 'pass', measured, limit, n, details }) as const;
  return {
    verdict: 'fail',
    findings: [
      pass('no request wrong', '0 wrong', '0 wrong', 60_000),
      pass('misrouted', '0 requests sent to a server after its eviction', '0', 9),
      {
        criterion: 'no request lost',
        verdict: 'fail',
        measured: '3 lost',
        limit: '0 lost',
        n: 60_000,
        details: [
          '86.210 s: policy 1, lost reset after 12.1 ms',
          '86.214 s: policy 3, lost reset after 8.7 ms',
          '86.231 s: policy 2, lost reset after 5.2 ms',
        ],
      },
      {
        criterion: 'detection of kill',
        verdict: 'unknown',
        measured:
          'p95 24 ms, max 24 ms, n = 2 (so p95 is the maximum; a bound on p95 needs 59 trials); 0 missed',
        limit: 'p95 ≤ 100 ms, max ≤ 1750 ms, none missed',
        n: 2,
        details: ['36.000 s: kill of server-p3-1: suspect after 24 ms (its session ended)'],
      },
      pass('detection of pause, partition', 'max 2410 ms, n = 4; 0 missed', 'max ≤ 2750 ms, none missed', 4, [
        '63.000 s: partition of server-p1-1: suspect after 2410 ms (the probe got no answer)',
      ]),
      pass('readmission after pause, partition', 'max 2230 ms, n = 4; 0 not back', 'max ≤ 2750 ms', 4),
      pass('others untouched', 'p99 4.1 ms, 1.1 × control', 'p99 ≤ 1.5 × control, no error', 31_204),
      pass(
        'back in rotation',
        '6 of 6 servers ready, max − min = 1, 0 leftovers',
        'all servers ready and nobody else, max − min ≤ 1 for each policy, nothing left over',
        6,
      ),
    ],
  };
}
