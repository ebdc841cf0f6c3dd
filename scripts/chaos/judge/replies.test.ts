import {
  during,
  type EventSketch,
  type FaultSketch,
  type Sketch,
  testCases,
} from '../../../test-support/chaos/recording-builder.ts';
import type { RequestRow } from '../journal.ts';
import { inTime, noErrors, noLost, noServerOnly, noStray, noWrong } from './replies.ts';

type First = NonNullable<RequestRow['first']>;
const PROXY_KILL: FaultSketch = { kind: 'proxy-kill', hits: [['proxy', 6000, 7000, 7300]] };

/** The request due at `atMs` of policy 1 (a multiple of 20) with other results. */
const at = (atMs: number, changes: Partial<RequestRow>): Sketch => ({
  traffic: during([atMs, atMs + 1], '1', changes),
});
const retried = (
  sentMs: number,
  endMs: number,
  first: Partial<First> = {},
  more: Partial<RequestRow> = {},
) => ({
  attempts: 2,
  first: { outcome: 'lost', detail: 'reset', sentMs, endMs, openedMs: sentMs, ...first } as First,
  ...more,
});
const inProxyKill = (sketch: Sketch): Sketch => ({
  plan: { retryForMs: 8000 },
  faults: [PROXY_KILL],
  ...sketch,
});

testCases(noWrong, [
  ['all well', {}, 'pass', /0 wrong of 2,000/],
  ['a wrong digest', at(6000, { outcome: 'wrong' }), 'fail', /6\.000 s: policy 1, wrong by server-p1-1/],
  ['in the warm-up too', at(0, { outcome: 'wrong' }), 'fail'],
  ['in a first attempt', at(6000, retried(6000, 6001, { outcome: 'wrong' })), 'fail'],
  ['an answer of another policy’s server', at(6000, { detail: 'b1' }), 'fail', /by server-p2-1/],
  ['an answer of a server without a name', at(6000, { detail: 'c9' }), 'pass'],
]);

testCases(noStray, [
  ['none', {}, 'pass'],
  ['one', { with: { strayAnswers: 1 } }, 'fail', /1 stray answer/],
]);

testCases(noLost, [
  ['all well', {}, 'pass'],
  [
    'one lost',
    at(6000, { outcome: 'lost', detail: 'timeout', latencyMs: 10_000 }),
    'fail',
    /1 lost of 2,000/,
  ],
  ['in the warm-up', at(0, { outcome: 'lost' }), 'fail'],
  ['in the phase after', at(19_980, { outcome: 'lost' }), 'fail'],
  ['dropped is not lost', at(6000, { outcome: 'dropped' }), 'pass'],
  [
    'sent, and not answered when the load ended',
    at(19_980, { outcome: 'dropped', detail: 'interrupted' }),
    'fail',
    /1 lost of 2,000 requests \(1 unanswered when the load ended\)\n19\.980 s/,
  ],
  [
    'and never sent',
    at(19_980, { outcome: 'dropped', detail: 'interrupted', attempts: 0 }),
    'pass',
    /0 lost of 1,999/,
  ],
  [
    'and the run was cut short',
    {
      ...at(19_980, { outcome: 'dropped', detail: 'interrupted' }),
      with: { cutShort: 'it was interrupted' },
    },
    'pass',
  ],
  ['an error is not lost', at(6000, { outcome: 'error' }), 'pass'],
  ['lost in the outage of the proxy', inProxyKill(at(6000, { outcome: 'lost' })), 'fail'],
  ['a first attempt lost without an outage', at(6000, retried(6000, 6100)), 'fail', /attempt 1 of 2: lost/],
  ['a first attempt lost in the outage', inProxyKill(at(6000, retried(6000, 6016))), 'pass'],
  ['it ended 5 ms before', inProxyKill(at(5980, retried(5980, 5995))), 'pass'],
  ['it ended sooner', inProxyKill(at(5980, retried(5980, 5994))), 'fail'],
  ['it began 2.5 s after the proxy was healed', inProxyKill(at(9800, retried(9800, 9900))), 'pass'],
  ['it began later', inProxyKill(at(9820, retried(9820, 9900))), 'fail'],
  [
    'the proxy was never healed',
    inProxyKill({
      ...at(19_000, retried(19_000, 19_900)),
      faults: [{ kind: 'proxy-kill', hits: [['proxy', 6000, null]] }],
    }),
    'pass',
  ],
  [
    'a server’s fault is no outage of the proxy',
    { ...at(6000, retried(6000, 6016)), faults: [{ kind: 'kill', hits: [['a1', 6000, 7000]] }] },
    'fail',
  ],
]);

const LATE = { latencyMs: 2250.1 };

testCases(inTime, [
  ['all well', {}, 'pass', /0 late of 2,000 answers, the slowest 2 ms/],
  ['at the limit', at(6000, { latencyMs: 2250 }), 'pass', /the slowest 2250 ms/],
  ['above it', at(6000, LATE), 'fail', /1 late of 2,000(.|\n)*6\.000 s: policy 1, ok by server-p1-1/],
  ['in the warm-up', at(0, LATE), 'fail'],
  [
    'a fault is no excuse',
    { ...at(6000, LATE), faults: [{ kind: 'pause', hits: [['a1', 6000, 9000]] }] },
    'fail',
  ],
  ['where clients try again, too', { ...at(6000, LATE), plan: { retryForMs: 8000 } }, 'fail'],
  ['sent twice', at(6000, { ...LATE, attempts: 2 }), 'pass', /of 1,999 answers/],
  ['an error', at(6000, { ...LATE, outcome: 'error' }), 'pass', /of 1,999 answers/],
  ['due while the proxy was out', inProxyKill(at(9800, LATE)), 'pass'],
  ['due before', inProxyKill(at(5980, LATE)), 'fail'],
  ['due after', inProxyKill(at(9820, LATE)), 'fail'],
  ['nothing answered', { traffic: (row) => ({ ...row, outcome: 'error' }) }, 'unknown', /no request was/],
]);
testCases(noErrors, [
  ['all well', {}, 'pass'],
  ['one error', at(6000, { outcome: 'error', detail: 'UPSTREAM_FAILED' }), 'fail', /1 UPSTREAM_FAILED/],
  ['in the warm-up', at(980, { outcome: 'error', detail: 'NO_SERVER' }), 'pass'],
  ['right after the warm-up', at(1000, { outcome: 'error', detail: 'NO_SERVER' }), 'fail'],
  ['at the very end', at(19_980, { outcome: 'error', detail: 'NO_SERVER' }), 'fail'],
  [
    'in a first attempt',
    at(6000, retried(6000, 6001, { outcome: 'error', detail: 'SHUTTING_DOWN' })),
    'fail',
    /SHUTTING_DOWN/,
  ],
  [
    'in a first attempt in the outage',
    inProxyKill(at(6000, retried(6000, 6001, { outcome: 'error', detail: 'SHUTTING_DOWN' }))),
    'pass',
  ],
  [
    'in a first attempt in the outage, and not ok in the end',
    inProxyKill(
      at(
        6000,
        retried(
          6000,
          6001,
          { outcome: 'error', detail: 'SHUTTING_DOWN' },
          { outcome: 'error', detail: 'NO_SERVER' },
        ),
      ),
    ),
    'fail',
  ],
  [
    'in a first attempt long after the outage',
    inProxyKill(at(12_000, retried(12_000, 12_001, { outcome: 'error', detail: 'NO_SERVER' }))),
    'fail',
  ],
  ['only requests of the warm-up', { traffic: (row) => (row.dueMs < 1000 ? row : null) }, 'unknown'],
]);

// a1 dies at 6000 and a2 at 6010; a2 listens again at 8000, a1 a little later.
const KILL_ALL: FaultSketch = {
  kind: 'kill',
  hits: [
    ['a1', 6000, 7700, 7900],
    ['a2', 6010, 7700, 7910],
  ],
};
const DEATHS: EventSketch[] = [
  [6020, 'suspect', 'a1'],
  [6021, 'evicted', 'a1'],
  [6030, 'suspect', 'a2'],
  [6031, 'evicted', 'a2'],
  [8000, 'replaced', 'a2'],
  [8000, 'registered', 'a2'],
  [8010, 'admitted', 'a2'],
  [8100, 'replaced', 'a1'],
  [8100, 'registered', 'a1'],
  [8110, 'admitted', 'a1'],
];
const down = (sketch: Sketch = {}): Sketch => ({ faults: [KILL_ALL], events: DEATHS, ...sketch });
const failedAt = (atMs: number, detail: string, latencyMs = 10): Sketch =>
  at(atMs, { outcome: 'error', detail, latencyMs });
testCases(noServerOnly, [
  ['what the builder makes of it: NO_SERVER after 500 ms', down(), 'pass', /99 allowed/],
  ['at the limit of latency', down(failedAt(7000, 'NO_SERVER', 600)), 'pass'],
  ['above it', down(failedAt(7000, 'NO_SERVER', 600.1)), 'fail'],
  ['from the first hit', down(failedAt(6000, 'NO_SERVER')), 'pass'],
  ['before the first hit', down(failedAt(5980, 'NO_SERVER')), 'fail'],
  ['0.6 s after one listens', down(failedAt(8600, 'NO_SERVER')), 'pass'],
  ['later', down(failedAt(8620, 'NO_SERVER')), 'fail'],
  [
    'for another policy',
    { ...down(), traffic: during([7010, 7011], '2', { outcome: 'error', detail: 'NO_SERVER' }) },
    'fail',
  ],
  ['another code', down(failedAt(7000, 'UPSTREAM_TIMEOUT')), 'fail'],
  ['in flight when the last one died', down(failedAt(5920, 'UPSTREAM_FAILED')), 'pass'],
  ['sent too long before', down(failedAt(5900, 'UPSTREAM_FAILED')), 'fail'],
  ['sent until 50 ms after', down(failedAt(6060, 'UPSTREAM_FAILED')), 'pass'],
  ['sent later', down(failedAt(6080, 'UPSTREAM_FAILED')), 'fail'],
  [
    'one server was left',
    { ...failedAt(7000, 'NO_SERVER'), faults: [{ kind: 'kill', hits: [['a1', 6000, 7700]] }] },
    'fail',
  ],
  [
    'the other one had come back',
    {
      ...failedAt(9200, 'NO_SERVER'),
      faults: [
        { kind: 'kill', hits: [['a1', 6000, 7000]] },
        { kind: 'kill', hits: [['a2', 9000, 9900]] },
      ],
    },
    'fail',
  ],
  ['without events, from its healing', { ...failedAt(8500, 'NO_SERVER'), faults: [KILL_ALL] }, 'pass'],
  ['without events, later', { ...failedAt(8520, 'NO_SERVER'), faults: [KILL_ALL] }, 'fail'],
  [
    'paused servers are there',
    { ...failedAt(7000, 'NO_SERVER'), faults: [{ ...KILL_ALL, kind: 'pause' }] },
    'fail',
  ],
  [
    'never healed',
    {
      ...failedAt(19_000, 'NO_SERVER'),
      faults: [
        {
          kind: 'kill',
          hits: [
            ['a1', 6000, null],
            ['a2', 6010, null],
          ],
        },
      ],
    },
    'pass',
  ],
]);
