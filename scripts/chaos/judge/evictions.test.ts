import {
  type EventSketch,
  type FaultSketch,
  type HitSketch,
  type Sketch,
  testCases,
} from '../../../test-support/chaos/recording-builder.ts';
import type { ProxyEvent } from '../../kit/proxy-events.ts';
import {
  evictionsAtMost,
  evictionsAtMostCrashes,
  evictionsHaveCauses,
  falseEvictions,
  noEviction,
} from './evictions.ts';

const PAUSE: FaultSketch = { kind: 'pause', hits: [['a1', 6000, 8000, 8100]] };
const evictedAt = (atMs: number, id = 'a1', faults: FaultSketch[] = [PAUSE]): Sketch => ({
  faults,
  events: [[atMs, 'evicted', id]],
});
const BOOT_1: EventSketch[] = ['a1', 'a2', 'b1', 'b2'].flatMap((id): EventSketch[] => [
  [7000, 'registered', id, { boot: 1 }],
  [7010, 'admitted', id, { boot: 1 }],
]);
const reboot = (atMs: number, faults: FaultSketch[]): Sketch => ({
  faults,
  events: [...BOOT_1, [atMs, 'evicted', 'b1', { boot: 1 }]],
});
const PROXY_KILL: FaultSketch = { kind: 'proxy-kill', hits: [['proxy', 6000, 6500, 6800]] };

testCases(falseEvictions, [
  ['none', {}, 'pass', /^0 of 0 evictions/],
  ['of the server that was hit', evictedAt(7000), 'pass', /^0 of 1 eviction/],
  ['at the hit', evictedAt(6000), 'pass'],
  ['before the hit', evictedAt(5999.9), 'fail'],
  ['3 s after it was healed', evictedAt(11_100), 'pass'],
  ['later', evictedAt(11_100.1), 'fail', /11\.100 s: server-p1-1 evicted/],
  ['of its neighbour', evictedAt(7000, 'a2'), 'fail', /server-p1-2/],
  ['an ejection', { faults: [PAUSE], events: [[7000, 'ejected', 'b1']] }, 'fail'],
  [
    'a suspect is only told',
    {
      faults: [PAUSE],
      events: [
        [7000, 'suspect', 'b1'],
        [7001, 'admitted', 'b1'],
      ],
    },
    'pass',
    /suspects without a fault: 1(.|\n)*server-p2-1 suspect/,
  ],
  ['never healed', evictedAt(19_000, 'a1', [{ kind: 'kill', hits: [['a1', 6000, null]] }]), 'pass'],
  [
    'healing that never ended',
    evictedAt(19_000, 'a1', [{ kind: 'kill', hits: [['a1', 6000, 7000, null]] }]),
    'pass',
  ],
  ['in the warm-up', evictedAt(999), 'pass'],
  ['right after the warm-up', evictedAt(1000), 'fail'],
  ['while the proxy was hit', { faults: [PROXY_KILL], events: [[6000, 'evicted', 'b1']] }, 'pass'],
  ['3 s after the proxy was healed', reboot(9800, [PROXY_KILL]), 'pass'],
  ['later', reboot(9801, [PROXY_KILL]), 'fail'],
  ['just before the proxy was hit', { faults: [PROXY_KILL], events: [[5999, 'evicted', 'b1']] }, 'fail'],
  ['2 s after a start that nobody called', reboot(9000, []), 'pass'],
  ['more than 2 s after it', reboot(9001, []), 'fail'],
  [
    'the first event of the recording is no start of the proxy',
    {
      with: {
        events: [
          {
            atMs: 6000,
            boot: 0,
            seq: 9,
            type: 'evicted',
            policy: '1',
            id: 'a1',
            address: 'a1:7000',
            cause: 'probe-refused',
            why: '',
            evidence: { probesInARow: 1 },
            sent: 1,
          },
        ],
      },
    },
    'fail',
  ],
  ['no event, and a table that stays', { with: { events: [] } }, 'pass'],
  [
    'no event, and a table that changes',
    { events: [[6000, 'evicted', 'a1']], with: { events: [] } },
    'unknown',
    /no event/,
  ],
  ['no event, no table', { with: { events: [], tables: [] } }, 'unknown'],
]);

testCases(noEviction, [
  ['none', { faults: [PAUSE] }, 'pass'],
  ['of the server that was hit', evictedAt(7000), 'fail'],
  ['an ejection', { events: [[7000, 'ejected', 'a1']] }, 'fail'],
  [
    'a suspect',
    {
      events: [
        [7000, 'suspect', 'a1'],
        [7300, 'admitted', 'a1'],
      ],
    },
    'pass',
  ],
  [
    'in the table alone',
    {
      table: (sample) => ({
        ...sample,
        servers: sample.servers.map((server) =>
          sample.atMs === 7000 && server.id === 'b1' ? { ...server, state: 'evicted' } : server,
        ),
      }),
    },
    'fail',
    /server-p2-1 is evicted in the table/,
  ],
  [
    'in the warm-up',
    {
      events: [
        [500, 'evicted', 'a1'],
        [990, 'admitted', 'a1'],
      ],
    },
    'pass',
  ],
  ['the table was not seen', { with: { tables: [] } }, 'unknown'],
]);

const FLAPS: HitSketch[] = Array.from({ length: 9 }, (_, at) => ['a1', 5000 + at * 1000, 5200 + at * 1000]);
const flapping = (...events: EventSketch[]): Sketch => ({ faults: [{ kind: 'flap', hits: FLAPS }], events });
testCases(evictionsAtMost, [
  ['never', flapping(), 'pass', /0 evictions and 0 readmissions after 9 hits/],
  [
    'once',
    flapping([6000, 'evicted', 'a1'], [8000, 'admitted', 'a1']),
    'pass',
    /1 eviction and 1 readmission/,
  ],
  [
    'twice, just far enough',
    flapping(
      [6000, 'evicted', 'a1'],
      [8000, 'admitted', 'a1'],
      [16_000, 'evicted', 'a1'],
      [18_000, 'admitted', 'a1'],
    ),
    'pass',
  ],
  [
    'twice, too soon',
    flapping([6000, 'evicted', 'a1'], [8000, 'admitted', 'a1'], [15_999, 'evicted', 'a1']),
    'fail',
  ],
  [
    'an ejection counts',
    flapping([6000, 'evicted', 'a1'], [8000, 'admitted', 'a1'], [10_000, 'ejected', 'a1']),
    'fail',
  ],
  [
    'readmitted twice, too soon',
    flapping(
      [6000, 'evicted', 'a1'],
      [9000, 'admitted', 'a1'],
      [16_000, 'evicted', 'a1'],
      [18_000, 'admitted', 'a1'],
    ),
    'fail',
  ],
  [
    'a suspect that is cleared is not readmitted',
    flapping(
      [6000, 'suspect', 'a1'],
      [6100, 'admitted', 'a1'],
      [7000, 'suspect', 'a1'],
      [7100, 'admitted', 'a1'],
    ),
    'pass',
    /0 readmissions/,
  ],
  [
    'before the first hit',
    flapping([4000, 'evicted', 'a1'], [4900, 'admitted', 'a1'], [6000, 'evicted', 'a1']),
    'pass',
  ],
  ['of others', flapping([6000, 'evicted', 'a2'], [7000, 'admitted', 'a2'], [8000, 'evicted', 'a2']), 'pass'],
  [
    'each server has its own count',
    {
      faults: [{ kind: 'flap', hits: [...FLAPS, ['b1', 5000, 5200]] }],
      events: [
        [6000, 'evicted', 'a1'],
        [6100, 'evicted', 'b1'],
      ],
    },
    'pass',
  ],
  ['another kind of fault', { faults: [PAUSE] }, 'unknown'],
]);
const CRASHES: FaultSketch = {
  kind: 'exit',
  hits: [
    ['a1', 6000, 6400],
    ['a1', 8000, 8400],
  ],
};
testCases(evictionsAtMostCrashes, [
  ['none', { faults: [CRASHES] }, 'pass'],
  [
    'as many',
    {
      faults: [CRASHES],
      events: [
        [6020, 'evicted', 'a1'],
        [6500, 'admitted', 'a1'],
        [8020, 'evicted', 'a1'],
      ],
    },
    'pass',
    /2 evictions after 2 crashes/,
  ],
  [
    'one more',
    {
      faults: [CRASHES],
      events: [
        [6020, 'evicted', 'a1'],
        [7000, 'evicted', 'a1'],
        [8020, 'evicted', 'a1'],
      ],
    },
    'fail',
    /3 evictions after 2 crashes/,
  ],
  [
    'one at the very crash',
    {
      faults: [CRASHES],
      events: [
        [6000, 'evicted', 'a1'],
        [6020, 'evicted', 'a1'],
        [8020, 'evicted', 'a1'],
      ],
    },
    'fail',
  ],
  [
    'one before',
    {
      faults: [CRASHES],
      events: [
        [5000, 'evicted', 'a1'],
        [6020, 'evicted', 'a1'],
        [8020, 'evicted', 'a1'],
      ],
    },
    'pass',
  ],
  [
    'others don’t make up for it',
    {
      faults: [
        {
          kind: 'exit',
          hits: [
            ['a1', 6000, 6400],
            ['b1', 6000, 6400],
          ],
        },
      ],
      events: [
        [6020, 'evicted', 'a1'],
        [7000, 'evicted', 'a1'],
      ],
    },
    'fail',
  ],
]);

const evictedFor = (cause: string | undefined, evidence: object | undefined): Sketch => ({
  faults: [PAUSE],
  events: [[7000, 'evicted', 'a1', { cause, evidence } as Partial<ProxyEvent>]],
});

testCases(evictionsHaveCauses, [
  ['none', {}, 'pass', /^0 of 0 evictions/],
  ['with its cause and evidence', evictedAt(7000), 'pass', /^0 of 1 eviction/],
  ['a cause that is not on the list', evictedFor('bad-luck', { failed: 1 }), 'fail', /server-p1-1 evicted/],
  ['no cause', evictedFor(undefined, { failed: 1 }), 'fail', /server-p1-1 evicted/],
  ['nothing that it was decided from', evictedFor('probe-timeout', {}), 'fail', /1 of 1 eviction/],
  ['an ejection of an older proxy', evictedFor('failed-share', undefined), 'fail'],
  ['a suspect needs none here', { events: [[7000, 'suspect', 'a1', { evidence: {} }]] }, 'pass'],
  ['nothing was seen', { with: { events: [], tables: [] } }, 'unknown'],
]);
