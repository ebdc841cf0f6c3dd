// What the lanes and the strip plots are drawn from: states over time, and times from fault to event.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Because } from '../../../services/proxy/health/cause.ts';
import { sampleRecording } from '../../../test-support/chaos/sample.ts';
import type { ProxyEvent } from '../../kit/proxy-events.ts';
import { type Recording, recordingsByProxy } from '../journal.ts';
import { proxySpans, type StateSpan, serverLanes } from './states.ts';
import { detections, readmissions } from './timings.ts';

const full = sampleRecording(1);
const ID = 'c2';

function spansOf(recording: Recording, id = ID): string[] {
  return wordsOf(serverLanes(recording).find((each) => each.id === id)?.spans ?? []);
}

function wordsOf(spans: readonly StateSpan[]): string[] {
  return spans.map(({ state, fromMs, toMs }) => `${state} ${fromMs}-${toMs}`);
}

function event(atMs: number, type: ProxyEvent['type'], seq: number, boot = 0): ProxyEvent {
  const because: Because = { cause: 'probe-passed', why: 'it is so', evidence: {} };
  return { atMs, boot, seq, type, policy: '3', id: ID, address: '10.0.0.9:7000', ...because, sent: 0 };
}

test('a lane follows the events, and starts anew with the proxy', () => {
  assert.deepEqual(spansOf(full), [
    'ready 0-47780',
    'suspect 47780-47960',
    'evicted 47960-52040',
    'ready 52040-86350',
    'gone 86350-87595',
    'joining 87595-87635',
    'ready 87635-120000',
  ]);
});

test('before its first event a server is what the event shows that it was', () => {
  const scenes: [ProxyEvent[], string][] = [
    [[], 'unknown 0-120000'],
    [[event(5, 'registered', 1)], 'gone 0-5'],
    [[event(5, 'admitted', 1)], 'joining 0-5'],
    [[event(5, 'evicted', 1)], 'ready 0-5'],
    [[event(-5, 'admitted', 1)], 'ready 0-120000'],
  ];
  for (const [events, first] of scenes) {
    assert.equal(spansOf({ ...full, tables: [], faults: [], events, closes: [] })[0], first);
  }
});

test('a start of the proxy that no fault explains empties the table when it is seen', () => {
  const events = [event(5, 'admitted', 1), event(900, 'registered', 1, 1), event(950, 'admitted', 2, 1)];
  assert.deepEqual(spansOf({ ...full, tables: [], faults: [], events, closes: [] }), [
    'joining 0-5',
    'ready 5-900',
    'joining 900-950',
    'ready 950-120000',
  ]);
});

test('the table is gone from when the stream ends, also where no start follows', () => {
  const events = [event(5, 'admitted', 1), event(900, 'registered', 1, 1), event(950, 'admitted', 2, 1)];
  const recording = { ...full, tables: [], faults: [], events, listens: [0, 890], closes: [600, 2000] };
  assert.deepEqual(spansOf(recording), [
    'joining 0-5',
    'ready 5-600',
    'gone 600-900',
    'joining 900-950',
    'ready 950-2000',
    'gone 2000-120000',
  ]);
});

test('a proxy is there while its status port answers, and ready when it says so', () => {
  const sample = (atMs: number, isReady: boolean) => ({ atMs, boot: 0, isReady, servers: [] });
  const seen = { ...full, events: [], listens: [-50, 700], closes: [500], endedMs: 1000 };
  const tables = [sample(100, true), sample(300, false), sample(501, true), sample(800, true)];
  assert.deepEqual(wordsOf(proxySpans({ ...seen, tables })), [
    'ready 0-300',
    'leaving 300-500',
    'gone 500-700',
    'ready 700-1000',
  ]);
  const early = [...tables, { ...sample(650, true), boot: 1 }];
  assert.equal(wordsOf(proxySpans({ ...seen, tables: early })).at(-1), 'ready 650-1000');
  assert.deepEqual(wordsOf(proxySpans({ ...seen, listens: [], closes: [], tables })), ['unknown 0-1000']);
});

test('each of several proxies has its own lanes, and its own detections', () => {
  const { tables, events, listens, closes } = full;
  const second = { proxy: 'proxy-2', tables: tables.slice(0, 1), events: [], listens: [0], closes: [] };
  const both = recordingsByProxy({ ...full, others: [second] });
  assert.deepEqual(
    both.map(({ proxy, others }) => [proxy, others.map((other) => other.proxy)]),
    [
      ['proxy-1', ['proxy-2']],
      ['proxy-2', ['proxy-1']],
    ],
  );
  assert.deepEqual(both[1]?.others, [{ proxy: 'proxy-1', tables, events, listens, closes }]);
  assert.deepEqual(
    both.map((recording) => spansOf(recording).length),
    [7, 1],
  );
  const kills = ({ kind }: { kind: string }): boolean => kind === 'kill';
  const twice = { ...full, others: [{ ...second, events }] };
  assert.deepEqual(detections(twice).find(kills)?.times, [17, 24, 17, 24]);
  assert.deepEqual(detections({ ...full, others: [second] }).find(kills)?.none, 2);
});

test('detection and readmission are those of the hits, by kind; those without an event are counted', () => {
  const found = Object.fromEntries(detections(full).map(({ kind, times, none }) => [kind, [times, none]]));
  assert.deepEqual(found, {
    kill: [[17, 24], 0],
    restart: [[22], 0],
    pause: [[2130, 1780], 0],
    flap: [[], 8],
    partition: [[2410, 1890], 0],
    slow: [[], 1],
    lie: [[640], 0],
  });
  const back = Object.fromEntries(readmissions(full).map(({ kind, times }) => [kind, times.map(Math.round)]));
  assert.deepEqual(back, {
    kill: [60, 60],
    restart: [60],
    pause: [1480, 2010],
    partition: [1720, 2230],
    lie: [900],
  });
});
