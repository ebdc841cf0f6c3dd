import {
  during,
  type EventSketch,
  type FaultSketch,
  type HitSketch,
  type Sketch,
  testCases,
} from '../../../test-support/chaos/recording-builder.ts';
import { answeredByAnother, detection, outByTraffic } from './detection.ts';
import { DEATH_LIMIT_MS, HANG_LIMIT_MS } from './limits.ts';

const KILL: FaultSketch = { kind: 'kill', hits: [['a1', 6000, 9000, 9200]] };
const kill = (...events: EventSketch[]): Sketch => ({ faults: [KILL], events });
const endingAt = (endedMs: number, sketch: Sketch): Sketch => ({ ...sketch, with: { endedMs } });

testCases(detection({ kinds: ['kill'], p95Ms: 100, maxMs: DEATH_LIMIT_MS }), [
  [
    'evicted in time',
    kill([6050, 'evicted', 'a1']),
    'pass',
    /p95 50 ms, max 50 ms, n = 1 \(so p95 is the maximum/,
  ],
  ['at the limit of p95', kill([6100, 'evicted', 'a1']), 'pass'],
  ['above it', kill([6100.1, 'evicted', 'a1']), 'fail', /server-p1-1: evicted after 100\.1 ms/],
  [
    'the suspicion counts when nothing clears it',
    kill([6016, 'suspect', 'a1'], [6900, 'evicted', 'a1']),
    'pass',
    /max 16 ms/,
  ],
  [
    'a suspicion that was cleared does not',
    kill([6016, 'suspect', 'a1'], [6050, 'admitted', 'a1'], [6900, 'evicted', 'a1']),
    'fail',
    /max 900 ms/,
  ],
  [
    'of two suspicions the later one',
    kill([6016, 'suspect', 'a1'], [6020, 'admitted', 'a1'], [6050, 'suspect', 'a1'], [6900, 'evicted', 'a1']),
    'pass',
    /max 50 ms/,
  ],
  ['a suspicion that led to nothing', kill([6016, 'suspect', 'a1']), 'fail', /1 missed/],
  [
    'replaced by its successor',
    kill([6016, 'suspect', 'a1'], [6400, 'replaced', 'a1'], [6400, 'registered', 'a1']),
    'pass',
    /max 16 ms/,
  ],
  ['an ejection', kill([6050, 'ejected', 'a1']), 'pass'],
  ['it said that it leaves', kill([6010, 'leaving', 'a1'], [6020, 'left', 'a1']), 'pass', /max 10 ms/],
  ['at the moment of the hit', kill([6000, 'evicted', 'a1']), 'pass', /max 0 ms/],
  ['before the hit', kill([5999, 'suspect', 'a1'], [5999.5, 'admitted', 'a1']), 'fail', /1 missed/],
  ['not at all', kill(), 'fail', /^none noticed; 1 missed\n6\.000 s: kill of server-p1-1: not noticed/],
  ['its neighbour', kill([6050, 'evicted', 'a2']), 'fail'],
  ['3 s after the healing call', kill([12_000, 'evicted', 'a1']), 'fail', /1 missed/],
  ['out already', kill([5500, 'evicted', 'a1']), 'unknown', /not counted/],
  [
    'out already, and noticed anew',
    kill([5500, 'ejected', 'a1'], [6016, 'suspect', 'a1'], [6030, 'evicted', 'a1']),
    'pass',
    /max 16 ms/,
  ],
  [
    'the proxy was not there',
    { faults: [KILL, { kind: 'proxy-kill', hits: [['proxy', 5500, 6000, 6500]] }], events: [] },
    'unknown',
    /not counted/,
  ],
  ['never healed, and not noticed', { faults: [{ kind: 'kill', hits: [['a1', 6000, null]] }] }, 'fail'],
  [
    'the recording ends before it had to be',
    endingAt(7700, { faults: [{ kind: 'kill', hits: [['a1', 6000, null]] }] }),
    'unknown',
    /too near to the end/,
  ],
  [
    'the recording ends when it had to be',
    endingAt(7750, { faults: [{ kind: 'kill', hits: [['a1', 6000, null]] }] }),
    'fail',
  ],
  [
    'a suspicion of another start of the proxy',
    kill(
      [6016, 'suspect', 'a1'],
      [6050, 'registered', 'a1', { boot: 1 }],
      [6090, 'evicted', 'a1', { boot: 1 }],
    ),
    'pass',
    /max 90 ms/,
  ],
  [
    'another fault',
    { faults: [{ kind: 'pause', hits: [['a1', 6000, 9000]] }], events: [[6050, 'evicted', 'a1']] },
    'unknown',
    /no fault of this kind/,
  ],
  [
    'a server that nobody knows',
    {
      faults: [
        { ...KILL, hits: [['a1', 6000, 9000]] },
        { kind: 'kill', hits: [['proxy', 6000, 9000]] },
      ],
      events: [[6050, 'evicted', 'a1']],
    },
    'pass',
  ],
  ['no events', { faults: [KILL], with: { events: [], tables: [] } }, 'unknown', /no event/],
  [
    'hit again: each has its own event',
    twice([6050, 'evicted', 'a1'], [7000, 'admitted', 'a1'], [8050, 'evicted', 'a1']),
    'pass',
    /n = 2/,
  ],
  ['hit again: the second event is not the first’s', twice([8050, 'evicted', 'a1']), 'fail', /1 missed/],
]);

testCases(detection({ kinds: ['pause', 'partition'], maxMs: HANG_LIMIT_MS }), [
  [
    'at the limit',
    { faults: [{ kind: 'pause', hits: [['a1', 6000, 12_000]] }], events: [[8750, 'evicted', 'a1']] },
    'pass',
  ],
  [
    'above it',
    { faults: [{ kind: 'pause', hits: [['a1', 6000, 12_000]] }], events: [[8750.5, 'evicted', 'a1']] },
    'fail',
  ],
  [
    'both kinds',
    {
      faults: [
        { kind: 'pause', hits: [['a1', 6000, 9000]] },
        { kind: 'partition', hits: [['b1', 6000, 9000]] },
      ],
      events: [[6500, 'evicted', 'a1']],
    },
    'fail',
    /partition of server-p2-1: not noticed/,
  ],
  ['one worse than p95 of twenty', manyPauses(20, 1), 'fail'],
]);
testCases(detection({ kinds: ['pause'], p95Ms: 100, maxMs: HANG_LIMIT_MS }), [
  ['19 of 20 in time', manyPauses(20, 1, 2000), 'pass', /p95 50 ms, max 2000 ms, n = 20 \(a bound/],
  ['18 of 20 in time', manyPauses(20, 2, 2000), 'fail', /p95 2000 ms/],
  ['enough trials for a bound', manyPauses(59, 2, 2000), 'pass', /n = 59;/],
]);
testCases(detection({ kinds: ['pause'], maxMs: HANG_LIMIT_MS, mayMiss: true }), [
  [
    'not noticed',
    { faults: [{ kind: 'pause', hits: [['a1', 6000, 6300]] }] },
    'pass',
    /1 missed \(1 of them shorter than 2750 ms\)/,
  ],
  ['just too short', { faults: [{ kind: 'pause', hits: [['a1', 6000, 8749]] }] }, 'pass'],
  ['long enough', { faults: [{ kind: 'pause', hits: [['a1', 6000, 8750]] }] }, 'fail', /1 missed$/m],
  ['never healed', { faults: [{ kind: 'pause', hits: [['a1', 6000, null]] }] }, 'fail'],
  [
    'a short one and a long one',
    {
      faults: [
        {
          kind: 'pause',
          hits: [
            ['a1', 6000, 6300],
            ['b1', 6000, 10_000],
          ],
        },
      ],
    },
    'fail',
    /2 missed \(1 of them/,
  ],
  [
    'noticed too late',
    { faults: [{ kind: 'pause', hits: [['a1', 6000, 6300]] }], events: [[9000, 'evicted', 'a1']] },
    'fail',
  ],
]);

const PAUSE: FaultSketch = { kind: 'pause', hits: [['a1', 6000, 10_000, 10_020]] };
const OUT: EventSketch[] = [[8000, 'evicted', 'a1']];
const paused = (sketch: Sketch): Sketch => ({ faults: [PAUSE], events: OUT, ...sketch });
testCases(answeredByAnother({ kinds: ['pause'] }), [
  ['all in time', paused({}), 'pass', /^0 of 103 requests not ok in time, the slowest 2 ms/],
  ['at the deadline', paused({ traffic: during([6000, 8001], '1', { latencyMs: 2000 }) }), 'pass'],
  ['above it', paused({ traffic: during([6100, 6101], '1', { latencyMs: 2001 }) }), 'fail', /1 of 103/],
  ['an error', paused({ traffic: during([6100, 6101], '1', { outcome: 'error' }) }), 'fail'],
  ['in flight at the hit', paused({ traffic: during([5960, 5961], '1', { outcome: 'lost' }) }), 'fail'],
  ['ended before the hit', paused({ traffic: during([5940, 5941], '1', { outcome: 'lost' }) }), 'pass'],
  ['at the eviction', paused({ traffic: during([8000, 8001], '1', { outcome: 'error' }) }), 'fail'],
  ['after the eviction', paused({ traffic: during([8020, 8021], '1', { outcome: 'error' }) }), 'pass'],
  ['another policy', paused({ traffic: during([6000, 8000], '2', { outcome: 'error' }) }), 'pass'],
  [
    'only after another attempt of the client',
    paused({
      traffic: during([6100, 6101], '1', {
        attempts: 2,
        first: { outcome: 'error', detail: 'UPSTREAM_TIMEOUT', sentMs: 6100, endMs: 6200, openedMs: 6100 },
      }),
    }),
    'fail',
  ],
  [
    'never evicted: until it is healed',
    paused({ events: [], traffic: during([9980, 9981], '1', { outcome: 'error' }) }),
    'fail',
  ],
  ['no request', paused({ traffic: (row) => (row.policy === '1' ? null : row) }), 'unknown'],
  ['another kind', { faults: [{ ...PAUSE, kind: 'kill' }] }, 'unknown'],
]);

const MUTE: FaultSketch = { kind: 'mute', hits: [['a1', 6000, 9000]] };
const mute = (...events: EventSketch[]): Sketch => ({ faults: [MUTE], events });
testCases(outByTraffic, [
  [
    'without the first failure',
    mute([6600, 'ejected', 'a1', { sent: 170 }]),
    'unknown',
    /an unknown number of further; max 600 ms/,
  ],
  [
    'right after the first failure',
    mute([6500, 'suspect', 'a1', { sent: 170 }], [6600, 'ejected', 'a1', { sent: 170 }]),
    'pass',
    /0 further; max 600 ms/,
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
  ['later', mute([8001, 'ejected', 'a1', { sent: 170 }]), 'fail', /taken out after 2001 ms/],
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
    /^3 further; max 700 ms, n = 2\n.*server-p2-1/,
  ],
]);

function twice(...events: EventSketch[]): Sketch {
  const hits: HitSketch[] = [
    ['a1', 6000, 6900],
    ['a1', 8000, 8900],
  ];
  return { faults: hits.map((hit) => ({ kind: 'kill', hits: [hit] })), events };
}

/** So many pauses, 150 ms apart, each noticed after 50 ms but the last `late` ones. */
function manyPauses(count: number, late: number, lateMs = 3000): Sketch {
  const starts = Array.from({ length: count }, (_, at) => 5000 + at * 100);
  const hits = starts.map(
    (fromMs, at): HitSketch => [
      at >= count - late ? (at % 2 === 0 ? 'b1' : 'b2') : 'a1',
      fromMs,
      fromMs + 90,
    ],
  );
  const events = hits.flatMap(([id, fromMs]): EventSketch[] =>
    id === 'a1'
      ? [
          [fromMs + 50, 'evicted', id],
          [fromMs + 80, 'admitted', id],
        ]
      : [[fromMs + lateMs, 'evicted', id]],
  );
  return { faults: [{ kind: 'pause', hits }], events };
}
