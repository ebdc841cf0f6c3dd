import {
  during,
  emptyRecording,
  type FaultSketch,
  recordingOf,
  type Sketch,
  testCases,
} from '../../../test-support/chaos/recording-builder.ts';
import { steadyState, tested } from './tested.ts';

const KILL: FaultSketch = { kind: 'kill', hits: [['a1', 6000, 8000]] };
const withFault = (changes: Partial<FaultSketch>): Sketch => ({ faults: [{ ...KILL, ...changes }] });
/** Drops one request in so many. */
const dropEvery = (every: number): Sketch => ({
  traffic: (row, index) => (index % every === 0 ? { ...row, outcome: 'dropped', detail: 'late' } : row),
});
const without = (policy: string | null, fromMs: number, toMs: number): Sketch => ({
  faults: [KILL],
  traffic: (row) =>
    row.dueMs >= fromMs && row.dueMs <= toMs && (policy === null || row.policy === policy) ? null : row,
});

testCases(tested(), [
  ['the scenario without faults', {}, 'pass', /0 of 0 faults/],
  ['another one without faults', { plan: { scenario: 'soak' } }, 'unknown', /no fault was planned/],
  ['a proven fault under load', { faults: [KILL] }, 'pass', /1 of 1 fault proven/],
  [
    'a fault that is not proven',
    withFault({ isProven: false, proof: 'still running' }),
    'unknown',
    /still running/,
  ],
  [
    'a planned fault that did not happen',
    { plan: { faults: recordingOf({ faults: [KILL] }).plan.faults } },
    'unknown',
    /did not happen/,
  ],
  ['conntrack at the limit', withFault({ conntrack: 50_000 }), 'pass'],
  ['conntrack above the limit', withFault({ conntrack: 50_001 }), 'unknown', /50001/],
  ['conntrack that cannot be read', withFault({ conntrack: null }), 'pass'],
  ['2 of 2000 dropped: 0.1 %', dropEvery(1000), 'pass'],
  ['3 of 2000 dropped', dropEvery(700), 'unknown', /0\.15 % dropped/],
  [
    'no request in the window of the fault',
    without(null, 6000, 8000),
    'unknown',
    /no request while it lasted/,
  ],
  [
    'only requests of other policies there',
    without('1', 6000, 8000),
    'unknown',
    /no request while it lasted/,
  ],
  ['only requests of the hit policy there', without('2', 6000, 8000), 'pass'],
  ['one request at the edge of the window', without('1', 6001, 8000), 'pass'],
  [
    'a fault that was never healed',
    { faults: [{ kind: 'kill', hits: [['a1', 6000, null]] }] },
    'unknown',
    /was not healed: server-p1-1/,
  ],
  [
    'a fault of the proxy counts all policies',
    { ...without('1', 6000, 8000), faults: [{ kind: 'proxy-kill', hits: [['proxy', 6000, 8000]] }] },
    'pass',
  ],
  ['cut short', { with: { cutShort: 'it was interrupted' } }, 'unknown', /interrupted/],
  ['no request', emptyRecording(), 'unknown', /no request/],
  ['a gap in the events', { events: [[6000, 'suspect', 'a1', { seq: 20 }]] }, 'unknown', /events 9 to 19/],
  ['numbers that begin anew with the proxy', { events: [[6000, 'registered', 'a1', { boot: 1 }]] }, 'pass'],
]);

const badAt = (atMs: number): Sketch => ({
  traffic: during([atMs, atMs + 20], '1', { outcome: 'error', detail: 'NO_SERVER' }),
});
testCases(steadyState(), [
  ['all well', {}, 'pass', /0 errors, 0 evictions, 0 % dropped/],
  ['an error in it', badAt(1000), 'unknown', /1 error, /],
  ['an error before it', badAt(980), 'pass'],
  ['an error at its end', badAt(4980), 'unknown'],
  ['an error after it', badAt(5000), 'pass'],
  ['an eviction in it', { events: [[3000, 'evicted', 'a1']] }, 'unknown', /server-p1-1 evicted/],
  ['an ejection in it', { events: [[3000, 'ejected', 'a1']] }, 'unknown'],
  ['an eviction after it', { events: [[5000, 'evicted', 'a1']] }, 'pass'],
  [
    'a suspect in it',
    {
      events: [
        [3000, 'suspect', 'a1'],
        [3001, 'admitted', 'a1'],
      ],
    },
    'pass',
  ],
  [
    'a first attempt that failed',
    {
      traffic: during([3000, 3020], '1', {
        attempts: 2,
        first: { outcome: 'lost', detail: 'reset', sentMs: 3000, endMs: 3001, openedMs: 3000 },
      }),
    },
    'unknown',
  ],
  ['too many dropped', dropEvery(300), 'unknown', /dropped/],
  ['no such phase', { with: { phases: [] } }, 'unknown', /no phase/],
]);
testCases(steadyState('control', 'fail'), [
  ['all well', {}, 'pass'],
  ['an error in it', badAt(3000), 'fail'],
  [
    'an eviction in it',
    {
      events: [
        [3000, 'evicted', 'a1'],
        [4000, 'admitted', 'a1'],
      ],
    },
    'fail',
  ],
  ['too many dropped are the generator’s', dropEvery(300), 'unknown'],
  ['no request in it', { traffic: (row) => (row.dueMs < 1000 ? row : null) }, 'unknown', /no request/],
]);
testCases(steadyState('after', 'fail'), [
  ['all well', {}, 'pass'],
  ['an error in it', badAt(18_000), 'fail'],
  ['an error before it', badAt(17_980), 'pass'],
]);
