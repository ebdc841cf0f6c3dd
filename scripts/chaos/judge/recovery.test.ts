import {
  during,
  type EventSketch,
  type FaultSketch,
  type Sketch,
  testCases,
} from '../../../test-support/chaos/recording-builder.ts';
import { firstOkAfter, newServersServe, readmission, swapped } from './recovery.ts';

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
testCases(firstOkAfter, [
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
testCases(newServersServe, [
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

const PAUSE: FaultSketch = { kind: 'pause', hits: [['a1', 6000, 9000, 9020]] };
const OUT: EventSketch = [7500, 'evicted', 'a1'];
const pause = (...events: EventSketch[]): Sketch => ({ faults: [PAUSE], events });

testCases(readmission({ kinds: ['pause'] }), [
  ['back in time', pause(OUT, [10_020, 'admitted', 'a1']), 'pass', /max 1000 ms, n = 1/],
  ['at the limit', pause(OUT, [11_770, 'admitted', 'a1']), 'pass', /max 2750 ms/],
  ['above it', pause(OUT, [11_770.5, 'admitted', 'a1']), 'fail', /back after 2750\.5 ms/],
  ['while the healing call ran', pause(OUT, [9010, 'admitted', 'a1']), 'pass', /max 0 ms/],
  ['before the healing call: that was a mistake', pause(OUT, [8999, 'admitted', 'a1']), 'fail', /1 not back/],
  ['not at all', pause(OUT), 'fail', /server-p1-1: not back/],
  ['another server', pause(OUT, [10_020, 'admitted', 'a2']), 'fail'],
  [
    'evicted after its healing',
    pause([9500, 'evicted', 'a1'], [10_500, 'admitted', 'a1']),
    'pass',
    /max 1480 ms/,
  ],
  [
    'only a suspect',
    pause([7500, 'suspect', 'a1'], [7600, 'admitted', 'a1']),
    'unknown',
    /no hit took its server out/,
  ],
  [
    'a new entry of the same server',
    pause(
      [7500, 'suspect', 'a1'],
      [9100, 'replaced', 'a1'],
      [9100, 'registered', 'a1'],
      [9110, 'admitted', 'a1'],
    ),
    'pass',
    /max 90 ms/,
  ],
  [
    'by another start of the proxy',
    pause(OUT, [9500, 'registered', 'a1', { boot: 1 }], [9600, 'admitted', 'a1', { boot: 1 }]),
    'pass',
    /max 580 ms/,
  ],
  ['never out', pause(), 'unknown'],
  [
    'never healed',
    { faults: [{ kind: 'pause', hits: [['a1', 6000, null]] }], events: [OUT] },
    'unknown',
    /never healed/,
  ],
  [
    'never healed, and another one too late',
    {
      faults: [
        {
          kind: 'pause',
          hits: [
            ['a1', 6000, null],
            ['b1', 6000, 8000],
          ],
        },
      ],
      events: [OUT, [7500, 'evicted', 'b1'], [11_000, 'admitted', 'b1']],
    },
    'fail',
  ],
  [
    'one in time, one never healed',
    {
      faults: [
        {
          kind: 'pause',
          hits: [
            ['a1', 6000, null],
            ['b1', 6000, 8000],
          ],
        },
      ],
      events: [OUT, [7500, 'evicted', 'b1'], [9000, 'admitted', 'b1']],
    },
    'unknown',
  ],
  [
    'the recording ends before it had to be back',
    { ...pause(OUT), with: { endedMs: 11_000 } },
    'unknown',
    /1 undecided(.|\n)*not back by 11\.000 s/,
  ],
  [
    'hit again before it had to be back',
    {
      faults: [PAUSE, { kind: 'pause', hits: [['a1', 10_000, 12_000]] }],
      events: [OUT, [13_000, 'admitted', 'a1']],
    },
    'unknown',
    /1 undecided(.|\n)*not back by 10\.000 s/,
  ],
  [
    'hit again, and back in between',
    {
      faults: [PAUSE, { kind: 'pause', hits: [['a1', 12_000, 14_000]] }],
      events: [OUT, [10_000, 'admitted', 'a1'], [13_000, 'evicted', 'a1'], [15_000, 'admitted', 'a1']],
    },
    'pass',
    /n = 2/,
  ],
  [
    'hit again long after, and not back in between',
    {
      faults: [PAUSE, { kind: 'pause', hits: [['a1', 12_000, 14_000]] }],
      events: [OUT, [15_000, 'admitted', 'a1']],
    },
    'fail',
    /1 not back/,
  ],
  [
    'another kind',
    { faults: [{ ...PAUSE, kind: 'kill' }], events: [OUT, [10_020, 'admitted', 'a1']] },
    'unknown',
  ],
]);

testCases(readmission({ kinds: ['restart'] }), [
  [
    'a fault that ends by itself, seen to be over late',
    {
      faults: [{ kind: 'restart', hits: [['a1', 6000, 6500, 6500]] }],
      events: [
        [6020, 'suspect', 'a1'],
        [6400, 'replaced', 'a1'],
        [6400, 'registered', 'a1'],
        [6410, 'admitted', 'a1'],
      ],
    },
    'pass',
    /max 0 ms/,
  ],
  [
    'and by no call',
    {
      faults: [{ kind: 'restart', hits: [['a1', 6000, null, 6350]] }],
      events: [
        [6020, 'evicted', 'a1'],
        [6410, 'admitted', 'a1'],
      ],
    },
    'pass',
    /max 60 ms/,
  ],
  [
    'too late',
    {
      faults: [{ kind: 'restart', hits: [['a1', 6000, 6500, 6500]] }],
      events: [
        [6020, 'evicted', 'a1'],
        [9251, 'admitted', 'a1'],
      ],
    },
    'fail',
    /max 2751 ms/,
  ],
]);

const SWAP: FaultSketch = {
  kind: 'swap',
  hits: [
    ['a1', 6000, 7000, 7250],
    ['b1', 6010, 7260, 7500],
  ],
};
const swap = (...events: EventSketch[]): Sketch => ({ faults: [SWAP], events });
const BOTH: EventSketch[] = [
  [6020, 'evicted', 'a1'],
  [6030, 'evicted', 'b1'],
  [7300, 'registered', 'a1', { address: 'b1:7000' }],
  [7310, 'admitted', 'a1', { address: 'b1:7000' }],
  [7600, 'registered', 'b1', { address: 'a1:7000' }],
  [7610, 'admitted', 'b1', { address: 'a1:7000' }],
];
testCases(swapped, [
  ['both under their own policy', swap(...BOTH), 'pass', /2 servers, 0 admitted under another policy/],
  ['one is not back', swap(...BOTH.slice(0, 4)), 'fail', /server-p2-1: not admitted again/],
  [
    'one under the other’s policy',
    swap(...BOTH.slice(0, 4), [7610, 'admitted', 'b1', { policy: '1' }]),
    'fail',
    /server-p2-1 admitted: so it was, under policy 1/,
  ],
  [
    'first under the other’s, then under its own',
    swap(...BOTH, [9000, 'admitted', 'b1', { policy: '1' }]),
    'fail',
  ],
  [
    'never healed',
    {
      faults: [
        {
          kind: 'swap',
          hits: [
            ['a1', 6000, 7000],
            ['b1', 6010, null],
          ],
        },
      ],
      events: BOTH.slice(0, 4),
    },
    'unknown',
    /never healed/,
  ],
  [
    'admitted before it died',
    {
      faults: [SWAP],
      events: [
        [5500, 'admitted', 'a1'],
        [5500, 'admitted', 'b1'],
      ],
    },
    'fail',
  ],
]);
