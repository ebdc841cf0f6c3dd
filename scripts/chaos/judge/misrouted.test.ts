import { type EventSketch, type Sketch, testCases } from '../../../test-support/chaos/recording-builder.ts';
import type { TableSample } from '../../kit/proxy-events.ts';
import type { RequestRow } from '../journal.ts';
import { misrouted } from './misrouted.ts';

const OUT_AND_BACK: EventSketch[] = [
  [6000, 'suspect', 'a1'],
  [6001, 'evicted', 'a1'],
  [8000, 'admitted', 'a1'],
];
const EJECTED_AND_BACK: EventSketch[] = [
  [6001, 'ejected', 'a1'],
  [8000, 'trial', 'a1'],
  [8040, 'admitted', 'a1'],
];
const events = (...sketches: EventSketch[]): Sketch => ({ events: sketches });
/** The request due at `dueMs` answered by a1. */
const byA1 = (dueMs: number, changes: Partial<RequestRow> = {}): Pick<Sketch, 'traffic'> => ({
  traffic: (row) =>
    row.dueMs === dueMs ? { ...row, outcome: 'ok', detail: 'a1', latencyMs: 2, ...changes } : row,
});
/** The samples from `fromMs` on count so many more for a1. */
const more = (fromMs: number, count: number, state?: string): Pick<Sketch, 'table'> => ({
  table: (sample: TableSample) => ({
    ...sample,
    servers: sample.servers.map((server) =>
      server.id === 'a1' && sample.atMs >= fromMs && (state === undefined || server.state === state)
        ? { ...server, sent: server.sent + count }
        : server,
    ),
  }),
});

/** Of a1 no event was recorded: what happened to it was long before. */
const ONLY_B1: Pick<Sketch, 'with'> = {
  with: {
    events: [
      {
        atMs: 6000,
        boot: 0,
        seq: 40,
        type: 'suspect',
        policy: '2',
        id: 'b1',
        address: 'b1:7000',
        cause: 'session-lost',
        why: '',
        evidence: {},
        sent: 9,
      },
    ],
  },
};

testCases(misrouted, [
  ['no event, and a table that changes', { table: evictedFrom(6000, 0), with: { events: [] } }, 'unknown'],
  ['no eviction', {}, 'pass', /0 evictions/],
  ['out and back, and nothing sent', events(...OUT_AND_BACK), 'pass', /1 eviction/],
  [
    'one more at the admission',
    events([6001, 'evicted', 'a1', { sent: 150 }], [8000, 'admitted', 'a1', { sent: 151 }]),
    'fail',
    /1 by the counts.*\n.*server-p1-1 was sent 1 between evicted and admitted/,
  ],
  [
    'as many at the admission',
    events([6001, 'evicted', 'a1', { sent: 150 }], [8000, 'admitted', 'a1', { sent: 150 }]),
    'pass',
  ],
  [
    'more between suspect and evicted is no eviction yet',
    events(
      [6000, 'suspect', 'a1', { sent: 150 }],
      [6500, 'evicted', 'a1', { sent: 155 }],
      [8000, 'admitted', 'a1', { sent: 155 }],
    ),
    'pass',
  ],
  [
    'more after the admission',
    events(
      [6001, 'evicted', 'a1', { sent: 150 }],
      [8000, 'admitted', 'a1', { sent: 150 }],
      [9000, 'suspect', 'a1', { sent: 200 }],
      [9001, 'admitted', 'a1', { sent: 200 }],
    ),
    'pass',
  ],
  [
    'one more when it is replaced',
    events(
      [6001, 'evicted', 'a1', { sent: 150 }],
      [8000, 'replaced', 'a1', { sent: 151 }],
      [8000, 'registered', 'a1'],
      [8010, 'admitted', 'a1'],
    ),
    'fail',
    /evicted and replaced/,
  ],
  [
    'one more when it is forgotten',
    events([6001, 'evicted', 'a1', { sent: 150 }], [8000, 'forgotten', 'a1', { sent: 151 }]),
    'fail',
  ],
  [
    'registered anew, counted from 0',
    events(
      [6001, 'evicted', 'a1', { sent: 150 }],
      [8000, 'registered', 'a1', { sent: 0 }],
      [8010, 'admitted', 'a1', { sent: 0 }],
    ),
    'pass',
  ],
  [
    'registered anew, counted on',
    events(
      [6001, 'evicted', 'a1', { sent: 150 }],
      [8000, 'registered', 'a1', { sent: 152 }],
      [8010, 'admitted', 'a1', { sent: 152 }],
    ),
    'fail',
  ],
  [
    'registered under another address',
    events(
      [6001, 'evicted', 'a1', { sent: 150 }],
      [8000, 'replaced', 'a1', { sent: 150 }],
      [8000, 'registered', 'a1', { address: 'new:7000' }],
      [8010, 'admitted', 'a1', { address: 'new:7000' }],
    ),
    'pass',
  ],
  [
    'another start of the proxy counts anew',
    events(
      [6001, 'evicted', 'a1', { sent: 150 }],
      [8000, 'registered', 'a1', { boot: 1, sent: 500 }],
      [8010, 'admitted', 'a1', { boot: 1, sent: 500 }],
    ),
    'pass',
  ],
  [
    'one more while ejected',
    events(
      [6001, 'ejected', 'a1', { sent: 150 }],
      [8000, 'trial', 'a1', { sent: 151 }],
      [8010, 'admitted', 'a1', { sent: 151 }],
    ),
    'fail',
    /server-p1-1 was sent 1 between ejected and trial/,
  ],
  [
    'one more on trial',
    events(
      [6001, 'ejected', 'a1', { sent: 150 }],
      [8000, 'trial', 'a1', { sent: 150 }],
      [8020, 'admitted', 'a1', { sent: 151 }],
    ),
    'pass',
    /0 evictions, 1 ejection and 0 leaves/,
  ],
  [
    'one more between ejected and evicted',
    events([6001, 'ejected', 'a1', { sent: 150 }], [7000, 'evicted', 'a1', { sent: 151 }]),
    'fail',
    /between ejected and evicted/,
  ],
  [
    'more in the table while ejected',
    { ...events(...EJECTED_AND_BACK), ...more(7000, 2, 'ejected') },
    'fail',
    /2 by the counts.*\n.*while ejected, by the table/,
  ],
  [
    'an answer of an ejected server',
    { ...events(...EJECTED_AND_BACK), ...byA1(6020) },
    'fail',
    /1 by the answers/,
  ],
  ['an answer of a server on trial', { ...events(...EJECTED_AND_BACK), ...byA1(8020) }, 'pass'],
  [
    'one more while it leaves',
    events([6001, 'leaving', 'a1', { sent: 150 }], [6100, 'left', 'a1', { sent: 151 }]),
    'fail',
    /server-p1-1 was sent 1 between leaving and left/,
  ],
  [
    'as many when it has left',
    events([6001, 'leaving', 'a1', { sent: 150 }], [6100, 'left', 'a1', { sent: 150 }]),
    'pass',
    /0 ejections and 1 leave$/m,
  ],
  [
    'evicted while it leaves',
    events(
      [6001, 'leaving', 'a1', { sent: 150 }],
      [6050, 'evicted', 'a1', { sent: 150 }],
      [6100, 'left', 'a1', { sent: 150 }],
    ),
    'pass',
  ],
  [
    'an answer to a request due after it said that it leaves',
    { ...events([6001, 'leaving', 'a1'], [6100, 'left', 'a1']), ...byA1(6020) },
    'fail',
    /1 by the answers/,
  ],
  [
    'an answer to one due before',
    { ...events([6001, 'leaving', 'a1'], [6100, 'left', 'a1']), ...byA1(5980, { latencyMs: 50 }) },
    'pass',
  ],
  [
    'another server’s count',
    events(
      [6001, 'evicted', 'a1', { sent: 150 }],
      [7000, 'suspect', 'a2', { sent: 900 }],
      [7001, 'admitted', 'a2', { sent: 900 }],
      [8000, 'admitted', 'a1', { sent: 150 }],
    ),
    'pass',
  ],
  [
    'more in the table than at the eviction',
    { ...events(...OUT_AND_BACK), ...more(6001, 2, 'evicted') },
    'fail',
    /2 by the counts.*\n.*while evicted, by the table/,
  ],
  [
    'more and more in the table',
    { ...events(...OUT_AND_BACK), ...more(7000, 1, 'evicted') },
    'fail',
    /1 by the counts/,
  ],
  ['more in the table once it is ready', { ...events(...OUT_AND_BACK), ...more(8000, 3) }, 'pass'],
  ['evicted by the table alone, as many', { ...ONLY_B1, table: evictedFrom(0, 0) }, 'pass'],
  ['evicted by the table alone, more', { ...ONLY_B1, table: evictedFrom(0, 1) }, 'fail'],
  [
    'a sample from before the admission',
    { ...events(...OUT_AND_BACK, [9000, 'suspect', 'a1'], [9001, 'admitted', 'a1']), table: staleAt(8000) },
    'pass',
  ],
  [
    'an answer to a request due after the eviction',
    { ...events(...OUT_AND_BACK), ...byA1(6020) },
    'fail',
    /1 by the answers/,
  ],
  [
    'due within the slack of the clocks',
    { ...events([5996, 'evicted', 'a1'], [8000, 'admitted', 'a1']), ...byA1(6000) },
    'pass',
  ],
  [
    'due at the end of the slack',
    { ...events([5995, 'evicted', 'a1'], [8000, 'admitted', 'a1']), ...byA1(6000) },
    'fail',
  ],
  [
    'due before the eviction, answered after',
    { ...events([5990, 'evicted', 'a1'], [8000, 'admitted', 'a1']), ...byA1(5980, { latencyMs: 100 }) },
    'pass',
  ],
  [
    'answered after it came back: it had waited',
    { ...events(...OUT_AND_BACK), ...byA1(7980, { latencyMs: 21 }) },
    'pass',
  ],
  ['answered before it came back', { ...events(...OUT_AND_BACK), ...byA1(7980, { latencyMs: 19 }) }, 'fail'],
  ['after several attempts', { ...events(...OUT_AND_BACK), ...byA1(6020, { attempts: 2 }) }, 'pass'],
  ['never back', { ...events([6001, 'evicted', 'a1']), ...byA1(19_980) }, 'fail'],
  [
    'a suspect may have been sent it before',
    { ...events([6000, 'suspect', 'a1'], [6100, 'admitted', 'a1']), ...byA1(6020) },
    'pass',
  ],
  [
    'the proxy that starts again knows nothing of it',
    {
      ...events(
        [6001, 'evicted', 'a1'],
        [8000, 'registered', 'a1', { boot: 1 }],
        [8010, 'admitted', 'a1', { boot: 1 }],
      ),
      ...byA1(8020),
    },
    'pass',
  ],
]);

/** Every sample from then on shows a1 evicted, and `growth` more sent than in the sample before. */
function evictedFrom(fromMs: number, growth: number): (sample: TableSample) => TableSample {
  let sent = 100;
  return (sample) => ({
    ...sample,
    servers: sample.servers.map((server) => {
      if (server.id !== 'a1' || sample.atMs < fromMs) return server;
      sent += growth;
      return { ...server, state: 'evicted', sent };
    }),
  });
}

/** The sample of that moment still shows a1 as it was before. */
function staleAt(atMs: number): (sample: TableSample) => TableSample {
  return (sample) => ({
    ...sample,
    servers: sample.servers.map((server) =>
      server.id === 'a1' && sample.atMs === atMs ? { ...server, state: 'evicted' } : server,
    ),
  });
}
