import {
  during,
  type EventSketch,
  type FaultSketch,
  type Sketch,
  testCases,
} from '../../../test-support/chaos/recording-builder.ts';
import { answeredByAnother, outByTraffic } from './caught.ts';
import { firstOkAfter, newServersServe } from './recovery.ts';

// Both servers of policy 1 die; a2 listens again at 8000.
const KILL_ALL: FaultSketch = {
  kind: 'kill',
  hits: [
    ['a1', 6000, 7700, 7900],
    ['a2', 6010, 7700, 7910],
  ],
};
const backAt = (registeredMs: number, admittedMs: number): EventSketch[] => [
  [6020, 'evicted', 'a1'],
  [6030, 'evicted', 'a2'],
  [registeredMs, 'registered', 'a2'],
  [admittedMs, 'admitted', 'a2'],
];
testCases(firstOkAfter({ maxMs: 600 }), [
  ['soon', { faults: [KILL_ALL], events: backAt(8000, 8010) }, 'pass', /max 22 ms, n = 1/],
  ['at the limit', { faults: [KILL_ALL], events: backAt(8002, 8600) }, 'pass', /max 600 ms/],
  [
    'above it',
    { faults: [KILL_ALL], events: backAt(8001, 8600) },
    'fail',
    /policy 1, back at 8\.001 s: answered after 601 ms/,
  ],
  [
    'an answer on its way when it died does not count',
    {
      faults: [KILL_ALL],
      events: backAt(8001, 8600),
      traffic: during([6000, 6010], '1', { outcome: 'ok', latencyMs: 20 }),
    },
    'fail',
  ],
  [
    'one that had waited does',
    {
      faults: [KILL_ALL],
      events: backAt(8001, 8600),
      traffic: during([7960, 7970], '1', { outcome: 'ok', latencyMs: 50 }),
    },
    'pass',
    /max 9 ms/,
  ],
  ['answers of other policies do not', { faults: [KILL_ALL], events: backAt(8001, 19_990) }, 'fail'],
  [
    'never answered',
    {
      faults: [KILL_ALL],
      events: backAt(8000, 19_999),
      traffic: (row) => (row.policy === '1' && row.dueMs > 7000 ? { ...row, outcome: 'error' } : row),
    },
    'fail',
    /not answered/,
  ],
  [
    'the recording ends before it had to be',
    {
      faults: [KILL_ALL],
      events: backAt(8000, 9000),
      traffic: (row) => (row.dueMs < 8500 ? row : null),
      with: { endedMs: 8500 },
    },
    'unknown',
  ],
  ['without the event, from the healing', { faults: [KILL_ALL], events: [] }, 'pass', /back at 7\.900 s/],
  [
    'one server was left',
    { faults: [{ kind: 'kill', hits: [['a1', 6000, 7700]] }] },
    'unknown',
    /no policy lost all/,
  ],
  [
    'never healed',
    {
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
    'unknown',
  ],
  [
    'without a table, as many as the plan says',
    { faults: [KILL_ALL], events: backAt(8000, 8010), with: { tables: [] } },
    'pass',
  ],
  [
    'without a table, fewer',
    { faults: [KILL_ALL], events: backAt(8000, 8010), plan: { serversPerPolicy: 3 }, with: { tables: [] } },
    'unknown',
  ],
  [
    'one had just come back, after the last sample',
    {
      faults: [{ kind: 'kill', hits: [['a2', 7090, 7700]] }],
      events: [
        [6020, 'evicted', 'a1'],
        [7080, 'admitted', 'a1'],
        [7095, 'evicted', 'a2'],
      ],
    },
    'unknown',
  ],
  [
    'one had been evicted before',
    {
      faults: [{ kind: 'kill', hits: [['a2', 7000, 7700]] }],
      events: [
        [6020, 'evicted', 'a1'],
        [7020, 'evicted', 'a2'],
        [8000, 'registered', 'a2'],
        [8010, 'admitted', 'a2'],
      ],
    },
    'pass',
  ],
]);

const SCALE: FaultSketch = {
  kind: 'scale',
  hits: [],
  targets: ['server-p1'],
  injectMs: 6000,
  injectedMs: 6500,
  healMs: 12_000,
  healedMs: 13_000,
};
const joined = (registeredMs: number, admittedMs: number): EventSketch[] => [
  [registeredMs, 'registered', 'a3'],
  [admittedMs, 'admitted', 'a3'],
];
testCases(newServersServe({ maxMs: 1000 }), [
  ['soon', { faults: [SCALE], events: joined(6400, 6410) }, 'pass', /n = 1/],
  ['at the limit', { faults: [SCALE], events: joined(6402, 7360) }, 'pass'],
  [
    'too late',
    { faults: [SCALE], events: joined(6402, 7500) },
    'fail',
    /a3, back at 6\.402 s: answered after/,
  ],
  ['never', { faults: [SCALE], events: joined(6400, 19_999) }, 'fail', /not answered/],
  [
    'wrong answers don’t count',
    {
      faults: [SCALE],
      events: joined(6400, 6410),
      traffic: (row) => (row.detail === 'a3' ? { ...row, outcome: 'wrong' } : row),
    },
    'fail',
  ],
  ['nobody new', { faults: [SCALE] }, 'unknown', /no new server/],
  [
    'somebody known registers again',
    {
      faults: [SCALE],
      events: [
        [6400, 'registered', 'a1'],
        [6410, 'admitted', 'a1'],
      ],
    },
    'unknown',
  ],
  ['somebody new before', { faults: [SCALE], events: joined(5200, 5210) }, 'unknown'],
  ['nothing was scaled', { events: joined(6400, 6410) }, 'unknown', /nothing was scaled/],
]);

const PAUSE: FaultSketch = { kind: 'pause', hits: [['a1', 6000, 10_000, 10_020]] };
const OUT: EventSketch[] = [[8000, 'evicted', 'a1']];
const pause = (sketch: Sketch): Sketch => ({ faults: [PAUSE], events: OUT, ...sketch });
testCases(answeredByAnother({ kinds: ['pause'] }), [
  ['all in time', pause({}), 'pass', /^0 of 103 requests not ok in time, the slowest 2 ms/],
  ['at the deadline', pause({ traffic: during([6000, 8001], '1', { latencyMs: 2000 }) }), 'pass'],
  ['above it', pause({ traffic: during([6100, 6101], '1', { latencyMs: 2001 }) }), 'fail', /1 of 103/],
  ['an error', pause({ traffic: during([6100, 6101], '1', { outcome: 'error' }) }), 'fail'],
  ['in flight at the hit', pause({ traffic: during([5960, 5961], '1', { outcome: 'lost' }) }), 'fail'],
  ['ended before the hit', pause({ traffic: during([5940, 5941], '1', { outcome: 'lost' }) }), 'pass'],
  ['at the eviction', pause({ traffic: during([8000, 8001], '1', { outcome: 'error' }) }), 'fail'],
  ['after the eviction', pause({ traffic: during([8020, 8021], '1', { outcome: 'error' }) }), 'pass'],
  ['another policy', pause({ traffic: during([6000, 8000], '2', { outcome: 'error' }) }), 'pass'],
  [
    'only after another attempt of the client',
    pause({
      traffic: during([6100, 6101], '1', {
        attempts: 2,
        first: { outcome: 'error', detail: 'UPSTREAM_TIMEOUT', sentMs: 6100, endMs: 6200, openedMs: 6100 },
      }),
    }),
    'fail',
  ],
  [
    'never evicted: until it is healed',
    pause({ events: [], traffic: during([9980, 9981], '1', { outcome: 'error' }) }),
    'fail',
  ],
  ['no request', pause({ traffic: (row) => (row.policy === '1' ? null : row) }), 'unknown'],
  ['another kind', { faults: [{ ...PAUSE, kind: 'kill' }] }, 'unknown'],
]);

const MUTE: FaultSketch = { kind: 'mute', hits: [['a1', 6000, 9000]] };
const mute = (...events: EventSketch[]): Sketch => ({ faults: [MUTE], events });
testCases(outByTraffic({ maxFurther: 5 }), [
  [
    'without the first failure',
    mute([6600, 'ejected', 'a1', { sent: 170 }]),
    'unknown',
    /nobody knows how many further, out after 600 ms/,
  ],
  [
    'right after the first failure',
    mute([6500, 'suspect', 'a1', { sent: 170 }], [6600, 'ejected', 'a1', { sent: 170 }]),
    'pass',
    /0 further, out after 600 ms/,
  ],
  [
    'a suspicion after it is none of it',
    mute([6600, 'ejected', 'a1', { sent: 170 }], [7000, 'suspect', 'a1', { sent: 170 }]),
    'unknown',
  ],
  [
    'five further',
    mute(
      [6500, 'suspect', 'a1', { sent: 165 }],
      [6510, 'admitted', 'a1', { sent: 165 }],
      [7000, 'ejected', 'a1', { sent: 170 }],
    ),
    'pass',
    /5 further/,
  ],
  [
    'six further',
    mute(
      [6500, 'suspect', 'a1', { sent: 165 }],
      [6510, 'admitted', 'a1', { sent: 165 }],
      [7000, 'ejected', 'a1', { sent: 171 }],
    ),
    'fail',
    /6 further/,
  ],
  [
    'an eviction does as well',
    mute([6500, 'suspect', 'a1', { sent: 168 }], [7000, 'evicted', 'a1', { sent: 170 }]),
    'pass',
  ],
  [
    'at the limit of time',
    mute([6500, 'suspect', 'a1', { sent: 168 }], [8000, 'ejected', 'a1', { sent: 170 }]),
    'pass',
  ],
  ['later', mute([8001, 'ejected', 'a1', { sent: 170 }]), 'fail', /out after 2001 ms/],
  ['a suspect is not out', mute([6500, 'suspect', 'a1'], [6510, 'admitted', 'a1']), 'fail', /not taken out/],
  ['not at all', mute(), 'fail'],
  ['before it', mute([5900, 'ejected', 'a1']), 'fail'],
  ['the recording ends before', { ...mute(), with: { endedMs: 7999 } }, 'unknown'],
  ['the recording ends when it had to be out', { ...mute(), with: { endedMs: 8000 } }, 'fail'],
  [
    'the worse of two',
    {
      faults: [MUTE, { kind: 'mute', hits: [['b1', 6000, 9000]] }],
      events: [
        [6500, 'suspect', 'a1', { sent: 165 }],
        [6600, 'ejected', 'a1', { sent: 167 }],
        [6500, 'suspect', 'b1', { sent: 165 }],
        [6700, 'ejected', 'b1', { sent: 168 }],
      ],
    },
    'pass',
    /^3 further, out after 700 ms\n.*server-p2-1/,
  ],
]);
