import {
  during,
  type EventSketch,
  type FaultSketch,
  type Sketch,
  testCases,
} from '../../../test-support/chaos/recording-builder.ts';
import { readmission } from './readmission.ts';
import { swapped } from './swapped.ts';

const PAUSE: FaultSketch = { kind: 'pause', hits: [['a1', 6000, 9000, 9020]] };
const OUT: EventSketch = [7500, 'evicted', 'a1'];
const pause = (...events: EventSketch[]): Sketch => ({ faults: [PAUSE], events });

testCases(readmission({ kinds: ['pause'] }), [
  ['back in time', pause(OUT, [10_020, 'admitted', 'a1']), 'pass', /max 1000 ms, n = 1/],
  ['at the limit', pause(OUT, [11_770, 'admitted', 'a1']), 'pass', /max 2750 ms/],
  ['above it', pause(OUT, [11_770.5, 'admitted', 'a1']), 'fail', /back 2750\.5 ms after its healing/],
  ['while the healing call ran', pause(OUT, [9010, 'admitted', 'a1']), 'pass', /max 0 ms/],
  ['before the healing call: that was a mistake', pause(OUT, [8999, 'admitted', 'a1']), 'fail', /1 not back/],
  ['not at all', pause(OUT), 'fail', /server-p1-1: not admitted again/],
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
    /no server that had been out/,
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
    /the recording ends/,
  ],
  [
    'hit again before it had to be back',
    {
      faults: [PAUSE, { kind: 'pause', hits: [['a1', 10_000, 12_000]] }],
      events: [OUT, [13_000, 'admitted', 'a1']],
    },
    'unknown',
    /hit again/,
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

testCases(readmission({ kinds: ['restart'], maxMs: 1000 }), [
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
        [7501, 'admitted', 'a1'],
      ],
    },
    'fail',
    /max 1001 ms/,
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
testCases(swapped(), [
  ['both under their own policy', swap(...BOTH), 'pass', /2 of 2 servers/],
  ['one is not back', swap(...BOTH.slice(0, 4)), 'fail', /server-p2-1 not admitted again/],
  [
    'one under the other’s policy',
    swap(...BOTH.slice(0, 4), [7610, 'admitted', 'b1', { policy: '1' }]),
    'fail',
    /server-p2-1 admitted under policy 1/,
  ],
  [
    'first under the other’s, then under its own',
    swap(...BOTH, [9000, 'admitted', 'b1', { policy: '1' }]),
    'fail',
  ],
  [
    'a wrong digest',
    { ...swap(...BOTH), traffic: during([8000, 8020], '1', { outcome: 'wrong' }) },
    'fail',
    /1 wrong/,
  ],
  [
    'an answer from the other policy',
    { ...swap(...BOTH), traffic: during([8000, 8020], '1', { detail: 'b1' }) },
    'fail',
    /1 wrong/,
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
