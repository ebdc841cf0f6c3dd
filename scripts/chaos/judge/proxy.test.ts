import {
  type EventSketch,
  type FaultSketch,
  recordingOf,
  type Sketch,
  testCases,
} from '../../../test-support/chaos/recording-builder.ts';
import type { ProxyView, RequestRow } from '../journal.ts';
import { anotherAnswers, proxyKillLostInFlight, proxyStopNothingInFlightLost, proxyWhole } from './proxy.ts';

const STOP: FaultSketch = { kind: 'proxy-stop', hits: [['proxy', 6000, 7000, 7200]] };
const KILL: FaultSketch = { ...STOP, kind: 'proxy-kill' };
const IDS = ['a1', 'a2', 'b1', 'b2'];

/** All servers admitted by the proxy's next start at that moment, the last one at another. */
const back = (atMs: number, lastMs = atMs, boot = 1): EventSketch[] =>
  IDS.flatMap((id): EventSketch[] => [
    [id === 'b2' ? lastMs - 5 : atMs - 5, 'registered', id, { boot }],
    [id === 'b2' ? lastMs : atMs, 'admitted', id, { boot }],
  ]);

testCases(proxyWhole, [
  [
    'in time',
    { faults: [STOP], events: back(8000, 8500) },
    'pass',
    /4 of 4 servers in time; listening and admitted: max 1300 ms/,
  ],
  ['at the limit', { faults: [STOP], events: back(8000, 9200) }, 'pass'],
  [
    'above it',
    { faults: [STOP], events: back(8000, 9200.5) },
    'fail',
    /server-p2-2 admitted after 2000\.5 ms/,
  ],
  ['one never', { faults: [STOP], events: back(8000).slice(0, -1) }, 'fail', /server-p2-2 not admitted/],
  [
    'admitted by the old proxy only',
    { faults: [STOP], events: IDS.map((id): EventSketch => [8000, 'admitted', id]) },
    'fail',
    /0 of 4/,
  ],
  [
    'each restart for itself',
    {
      faults: [STOP, { kind: 'proxy-kill', hits: [['proxy', 11_000, 11_500, 11_700]] }],
      events: [...back(8000), ...back(12_000, 12_000, 2)],
    },
    'pass',
    /8 of 8/,
  ],
  [
    'not whole before the next',
    {
      faults: [STOP, { kind: 'proxy-kill', hits: [['proxy', 11_000, 11_500, 11_700]] }],
      events: [...back(8000).slice(0, -2), ...back(12_000, 12_000, 2)],
    },
    'fail',
    /6 of 7/,
  ],
  [
    'a server that is itself dead does not count',
    { faults: [STOP, { kind: 'kill', hits: [['b2', 5500, 9000]] }], events: back(8000).slice(0, -2) },
    'pass',
    /3 of 3/,
  ],
  [
    'one that was healed before does',
    { faults: [STOP, { kind: 'kill', hits: [['b2', 5100, 5900]] }], events: back(8000).slice(0, -2) },
    'fail',
    /3 of 4/,
  ],
  [
    'one that is hit long after does',
    { faults: [STOP, { kind: 'kill', hits: [['b2', 15_000, 16_000]] }], events: back(8000).slice(0, -2) },
    'fail',
    /3 of 4/,
  ],
  [
    'one that is hit at the last moment does not',
    { faults: [STOP, { kind: 'kill', hits: [['b2', 9200, 10_000]] }], events: back(8000).slice(0, -2) },
    'pass',
    /3 of 3/,
  ],
  [
    'one that is hit right after does',
    { faults: [STOP, { kind: 'kill', hits: [['b2', 9201, 10_000]] }], events: back(8000).slice(0, -2) },
    'fail',
    /3 of 4/,
  ],
  [
    'never started again',
    { faults: [{ kind: 'proxy-stop', hits: [['proxy', 6000, null]] }] },
    'unknown',
    /never started again/,
  ],
  ['the table was not seen before', { faults: [STOP], events: back(8000), with: { tables: [] } }, 'unknown'],
  ['no fault of the proxy', { faults: [{ kind: 'kill', hits: [['a1', 6000, 7000]] }] }, 'unknown'],
]);

type First = NonNullable<RequestRow['first']>;
const LOST: Partial<First> = { outcome: 'lost', detail: 'reset' };
const SHUTTING_DOWN: Partial<First> = { outcome: 'error', detail: 'SHUTTING_DOWN' };
/** The request due at `atMs` was tried twice. */
const retried =
  (atMs: number, endMs: number, first: Partial<First>, openedMs: number | null = atMs) =>
  (row: RequestRow): RequestRow =>
    row.dueMs === atMs
      ? {
          ...row,
          attempts: 2,
          latencyMs: 1500,
          first: { outcome: 'ok', detail: '', sentMs: atMs, endMs, openedMs, ...first },
        }
      : row;
const slow =
  (atMs: number, latencyMs: number, changes: Partial<RequestRow> = {}) =>
  (row: RequestRow): RequestRow =>
    row.dueMs === atMs ? { ...row, latencyMs, ...changes } : row;
const both =
  (...changes: ((row: RequestRow) => RequestRow)[]) =>
  (row: RequestRow): RequestRow =>
    changes.reduce((changed, change) => change(changed), row);
const stop = (...changes: ((row: RequestRow) => RequestRow)[]): Sketch => ({
  faults: [STOP],
  traffic: both(...changes),
});
const kill = (...changes: ((row: RequestRow) => RequestRow)[]): Sketch => ({
  faults: [KILL],
  traffic: both(...changes),
});

testCases(proxyStopNothingInFlightLost, [
  ['answered', stop(slow(5990, 20)), 'pass', /0 lost of 102 in flight/],
  ['refused, and tried again', stop(retried(5990, 6005, SHUTTING_DOWN)), 'pass'],
  ['refused for good', stop(slow(5990, 20, { outcome: 'error', detail: 'SHUTTING_DOWN' })), 'pass'],
  ['lost, and tried again', stop(retried(5990, 6005, LOST)), 'fail', /1 lost of 102/],
  ['lost for good', stop(slow(5990, 20, { outcome: 'lost', detail: 'reset' })), 'fail'],
  ['lost without having been sent', stop(retried(5990, 6005, LOST, null)), 'pass', /0 lost of 101/],
  ['lost before', stop(retried(5980, 5990, LOST)), 'pass'],
  ['sent after the call, before the signal', stop(retried(6010, 6020, LOST)), 'fail', /1 lost of 101/],
  ['sent at the end of the outage', stop(retried(7000, 7010, LOST)), 'fail'],
  ['sent after it', stop(retried(7010, 7020, LOST)), 'pass'],
  ['connected only after it', stop(retried(6500, 8000, LOST, 7005)), 'pass'],
  ['connected before its end', stop(retried(6500, 8000, LOST, 6995)), 'fail'],
  ['lost for good in the outage', stop(slow(6500, 9, { outcome: 'lost', detail: 'reset' })), 'fail'],
  [
    'never started again: until the end',
    {
      ...stop(retried(19_000, 19_010, LOST)),
      faults: [{ kind: 'proxy-stop', hits: [['proxy', 6000, null]] }],
    },
    'fail',
  ],
  [
    'nobody could connect',
    {
      faults: [STOP],
      traffic: (row) =>
        row.dueMs >= 5990 && row.dueMs <= 7000 ? retried(row.dueMs, row.dueMs + 1, LOST, null)(row) : row,
    },
    'pass',
    /0 lost of 0 in flight/,
  ],
  [
    'no request due',
    { faults: [STOP], traffic: (row) => (row.dueMs >= 5900 && row.dueMs <= 7000 ? null : row) },
    'unknown',
    /no request was due/,
  ],
  ['a kill is no stop', kill(retried(5990, 6005, LOST)), 'unknown'],
]);

const lostInFlight = [5990, 6000, 6010].map((atMs) => retried(atMs, 6016, LOST));
testCases(proxyKillLostInFlight, [
  ['none lost', kill(), 'pass', /0 lost, 7 in flight/],
  ['what was in flight', kill(...lostInFlight), 'pass', /3 lost, 8 in flight/],
  [
    'as many as were in flight',
    kill(...[6000, 6010, 6020, 6030, 6040, 6050, 6060].map((atMs) => retried(atMs, atMs + 5, LOST))),
    'pass',
    /7 lost, 7 in flight/,
  ],
  [
    'more than were in flight: later ones too',
    kill(...[6000, 6010, 6020, 6030, 6040, 6050, 6060, 6500].map((atMs) => retried(atMs, atMs + 5, LOST))),
    'fail',
    /8 lost, 7 in flight/,
  ],
  [
    'those not sent don’t count',
    kill(
      ...[6500, 6510, 6520, 6530, 6540, 6550, 6560, 6570].map((atMs) => retried(atMs, atMs + 5, LOST, null)),
    ),
    'pass',
    /0 lost/,
  ],
  ['lost before the kill', kill(retried(5900, 5990, LOST)), 'pass', /0 lost/],
  ['lost for good', kill(slow(6000, 16, { outcome: 'lost' })), 'pass', /1 lost, 7 in flight/],
  ['lost long after it was back: no part of it', kill(retried(9710, 9800, LOST)), 'pass', /0 lost/],
  [
    'nothing in flight',
    { ...kill(), traffic: (row) => (row.dueMs >= 5900 && row.dueMs <= 6100 ? null : row) },
    'unknown',
    /no request was in flight/,
  ],
  ['a stop is no kill', stop(...lostInFlight), 'unknown'],
]);

const STOP_OF_SECOND: FaultSketch = { kind: 'proxy-stop', hits: [['proxy-2', 6000, 7000, 7200]] };

/** What the second of two proxies shows. */
function second(events: EventSketch[]): ProxyView {
  const { tables, listens, closes, ...rest } = recordingOf({ events, faults: [STOP_OF_SECOND] });
  return { proxy: 'proxy-2', events: rest.events, tables, listens, closes };
}

testCases(proxyWhole, [
  [
    'of two proxies the one that was hit counts',
    { faults: [STOP_OF_SECOND], with: { others: [second(back(8000))] } },
    'pass',
    /4 of 4 servers in time/,
  ],
  [
    'a second proxy that does not become whole',
    { faults: [STOP_OF_SECOND], with: { others: [second(back(8000).slice(0, -1))] } },
    'fail',
    /server-p2-2 not admitted/,
  ],
]);

/** The request that is due at a moment of the outage is another one. */
const at = (dueMs: number, change: Partial<RequestRow>) => {
  return (row: RequestRow): RequestRow => (row.dueMs === dueMs ? { ...row, ...change } : row);
};
const first = { outcome: 'lost', detail: 'closed', sentMs: 6500, endMs: 6510, openedMs: 6000 } as const;
const SCALED: FaultSketch = {
  kind: 'scale',
  hits: [],
  targets: ['proxy'],
  injectMs: 6000,
  injectedMs: 6100,
  healMs: 7000,
  healedMs: 7200,
};

testCases(anotherAnswers, [
  ['nothing to be noticed', { faults: [STOP_OF_SECOND] }, 'pass', /0 not of \d+ requests, 0 sent again/],
  [
    'sent again, and answered',
    { faults: [STOP_OF_SECOND], traffic: at(6500, { attempts: 2, first, latencyMs: 40 }) },
    'pass',
    /1 sent again, the slowest 40 ms/,
  ],
  ['lost', { faults: [STOP_OF_SECOND], traffic: at(6500, { outcome: 'lost' }) }, 'fail', /1 not of/],
  ['refused', { faults: [SCALED], traffic: at(6500, { outcome: 'error' }) }, 'fail', /1 not of/],
  ['late', { faults: [SCALED], traffic: at(6500, { latencyMs: 3000 }) }, 'fail', /1 not of/],
  ['lost long before', { faults: [SCALED], traffic: at(2000, { outcome: 'lost' }) }, 'pass'],
  ['no proxy was away', {}, 'unknown', /no request was due/],
]);
