import {
  during,
  type EventSketch,
  emptyRecording,
  type FaultSketch,
  recordingOf,
  type Sketch,
  testCases,
} from '../../../test-support/chaos/recording-builder.ts';
import type { TableSample } from '../../kit/proxy-events.ts';
import { backInNumbers, backInRotation, steadyControl, steadyState, tested } from './steady.ts';

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

testCases(tested, [
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
  ['2 of 2,000 dropped: 0.1 %', dropEvery(1000), 'pass'],
  ['3 of 2,000 dropped', dropEvery(700), 'unknown', /0\.15 % dropped/],
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
testCases(steadyState, [
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
testCases(steadyControl, [
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

type Server = TableSample['servers'][number];
/** Changes one server in the samples from a moment on; null takes it out. */
const change = (fromMs: number, id: string, change: (server: Server) => Server | null): Sketch => ({
  table: (sample) => ({
    ...sample,
    servers: sample.servers.flatMap((server) =>
      server.id === id && sample.atMs >= fromMs ? (change(server) ?? []) : server,
    ),
  }),
});
const addFrom = (fromMs: number, state = 'ready'): Sketch => ({
  table: (sample) =>
    sample.atMs < fromMs
      ? sample
      : {
          ...sample,
          servers: [...sample.servers, { id: 'b3', policy: '2', state, sent: 0, served: 0, failed: 0 }],
        },
});
const BACK: EventSketch[] = [
  [6000, 'evicted', 'a1'],
  [9000, 'admitted', 'a1'],
];
const NEW_BOOT = (atMs: number): EventSketch[] =>
  ['a1', 'a2', 'b1', 'b2'].flatMap((id): EventSketch[] => [
    [atMs, 'registered', id, { boot: 1 }],
    [atMs + 1, 'admitted', id, { boot: 1 }],
  ]);

testCases(backInRotation, [
  ['nothing happened', {}, 'pass', /4 of 4 servers ready, max − min = 0/],
  ['out and back', { events: BACK }, 'pass'],
  ['still out at the end', { events: BACK.slice(0, 1) }, 'fail', /server-p1-1 is evicted in the last table/],
  [
    'back too late',
    {
      events: [
        [6000, 'evicted', 'a1'],
        [18_500, 'admitted', 'a1'],
      ],
    },
    'fail',
    /policy 1 in the phase "after"/,
  ],
  ['not ready but on trial', { events: [[19_990, 'trial', 'a1']] }, 'fail', /server-p1-1 is trial/],
  [
    'gone',
    {
      events: [
        [6000, 'evicted', 'a1'],
        [9000, 'forgotten', 'a1'],
      ],
    },
    'fail',
    /server-p1-1 is not listed/,
  ],
  ['somebody new', addFrom(9000), 'fail', /b3 is new/],
  ['somebody who was there before', addFrom(0, 'ready'), 'fail', /policy 2.*b3 0/],
  [
    'a share of one more',
    change(19_000, 'a1', (server) => ({ ...server, sent: server.sent + 1 })),
    'pass',
    /max − min = 1/,
  ],
  [
    'a share of two more',
    change(19_000, 'a1', (server) => ({ ...server, sent: server.sent + 2 })),
    'fail',
    /max − min = 2(.|\n)*server-p1-1 52, server-p1-2 50/,
  ],
  [
    'shares before the phase don’t count',
    change(9000, 'a1', (server) => ({ ...server, sent: server.sent + 500 })),
    'pass',
  ],
  [
    'something left over',
    { with: { leftovers: ['server-p1-1 is paused'] } },
    'unknown',
    /server-p1-1 is paused/,
  ],
  [
    'something left over of a run cut short',
    { with: { leftovers: ['server-p1-1 is paused'], tables: [], phases: [] } },
    'unknown',
  ],
  [
    'and missing because of it',
    { events: BACK.slice(0, 1), with: { leftovers: ['server-p1-1 is paused'] } },
    'unknown',
  ],
  ['the proxy restarted before', { events: NEW_BOOT(6000) }, 'pass'],
  ['the proxy restarted in the phase', { events: NEW_BOOT(18_500) }, 'fail', /the proxy started again/],
  [
    'only one sample in the phase',
    { table: (sample) => (sample.atMs > 18_000 ? null : sample) },
    'unknown',
    /too seldom/,
  ],
  [
    'the last sample comes after the phase',
    { table: (sample) => (sample.atMs === 20_000 ? { ...sample, atMs: 20_010 } : sample) },
    'pass',
  ],
  ['and counts', { ...change(20_000, 'a1', (server) => ({ ...server, state: 'evicted' })) }, 'fail'],
  [
    'no sample before the faults',
    { table: (sample) => (sample.atMs < 5250 ? null : sample) },
    'unknown',
    /not seen by then/,
  ],
  ['no request in the phase', change(0, 'a1', (server) => ({ ...server, sent: 0 })), 'fail'],
  [
    'a policy without requests',
    {
      table: (sample) => ({
        ...sample,
        servers: sample.servers.map((server) => (server.policy === '2' ? { ...server, sent: 7 } : server)),
      }),
    },
    'unknown',
    /policy 2 got no request/,
  ],
  ['no phase of that name', { with: { phases: [] } }, 'unknown'],
]);

/** Another server has taken the place of one. */
const REPLACED: Sketch = {
  table: (sample) => ({
    ...sample,
    servers: sample.servers.flatMap((server) => {
      if (server.id !== 'a1' || sample.atMs < 9000) return server;
      return [
        { ...server, state: 'evicted' },
        { ...server, id: 'a3' },
      ];
    }),
  }),
};

testCases(backInNumbers, [
  ['nothing happened', {}, 'pass', /4 of 4 servers ready, max − min = 0/],
  ['another one in its place', REPLACED, 'pass', /4 of 4 servers ready/],
  ['none in its place', change(9000, 'a1', () => null), 'fail', /policy 1 has 1 ready servers, 2 before/],
  ['one too many', addFrom(9000), 'fail', /policy 2 has 3 ready servers, 2 before/],
]);
