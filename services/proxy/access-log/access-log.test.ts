// test · which requests get a line, what is in it, and what becomes of lines that nobody reads.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Line } from '../../shared/log.ts';
import type { Id } from '../../shared/packet.ts';
import { type ReplySink, Request, Trouble } from '../routing/request.ts';
import { AccessLog } from './access-log.ts';
import {
  BoundedWriter,
  LAST_LINES_WITHIN_MS,
  type LineStream,
  MAX_PENDING_LENGTH,
} from './bounded-writer.ts';
import { jsonLine, type LineFormat, textLine } from './line.ts';

const WALL_MS = Date.UTC(2026, 10, 30, 12, 0, 0, 7);
const TIMEOUT_MS = 2000;
const client = {} as ReplySink;

class Scene {
  nowMs = 100;
  written = '';
  isSlow = false;
  draws: number[] = [];
  readonly log: AccessLog;
  readonly said: Line[] = [];
  readonly timers = new Map<number, () => void>();
  readonly #writer: BoundedWriter;
  readonly #listeners: Record<string, () => void> = {};
  readonly #taken: (() => void)[] = [];

  constructor(share: number, format: LineFormat = jsonLine) {
    const stream: LineStream = {
      write: (text, onTaken = () => {}) => {
        this.written += text;
        this.#taken.push(onTaken);
        return !this.isSlow;
      },
      on: (event, listener) => {
        this.#listeners[event] = listener;
      },
    };
    const after = (ms: number, work: () => void) => {
      this.timers.set(ms, work);
      return () => this.timers.delete(ms);
    };
    const clock = { now: () => this.nowMs, wallNow: () => WALL_MS - 100 + this.nowMs, after };
    const options = { share, slowMs: 500, requestTimeoutMs: TIMEOUT_MS, format };
    const random = (): number => this.draws.shift() ?? 1;
    this.#writer = new BoundedWriter(stream, clock);
    this.log = new AccessLog(options, this.#writer, clock, random);
  }

  /** A request that came now. */
  request(clientId: Id | undefined = 111, policy = '2'): Request {
    return new Request(client, clientId, policy, '', null, this.nowMs + TIMEOUT_MS);
  }

  answered(request = this.request(), tookMs = 1): void {
    request.upstream ??= { id: 7 };
    this.log.onAnswered(request, { id: 7 }, tookMs);
  }

  /** The reader has all that was written. */
  take(): void {
    for (const onTaken of this.#taken.splice(0)) onTaken();
  }

  emit(event: 'drain' | 'error'): void {
    this.#listeners[event]?.();
  }

  nextSecond(): void {
    this.log.nextSecond((line) => this.said.push(line));
  }

  lines(): string[] {
    this.#writer.flush();
    return this.written.split('\n').slice(0, -1);
  }
}

test('an answered request, as one JSON object', () => {
  const scene = new Scene(1);
  const request = scene.request();
  request.attemptMs = 100.25;
  scene.answered(request, 1.512);
  const [line = ''] = scene.lines();
  assert.deepEqual(JSON.parse(line), {
    timestamp: '2026-11-30T12:00:00.008Z',
    level: 'info',
    role: 'proxy',
    message: 'request',
    client: 111,
    policy: '2',
    server: 7,
    attempts: 1,
    waitMs: 0.25,
    serverMs: 1.26,
    outcome: 'answered',
  });
});

test('a retried request names the servers that it was tried on', () => {
  const scene = new Scene(1, textLine);
  const request = scene.request();
  request.trouble = new Trouble(0);
  request.trouble.attempts = 2;
  request.trouble.tried = [{ id: 'the first' }];
  scene.answered(request);
  assert.match(
    scene.lines()[0] ?? '',
    / client=111 policy=2 server=7 tried=\["the first"\] attempts=2 .* outcome=answered$/,
  );
});

test('a refused request has the code, and the id that is in the refusal', () => {
  const scene = new Scene(1);
  const request = scene.request();
  scene.nowMs += 3;
  scene.log.onRefused(request, 'NO_SERVER', 'boot-1');
  const { attempts, waitMs, serverMs, outcome, trace } = JSON.parse(scene.lines()[0] ?? '');
  assert.deepEqual([attempts, waitMs, serverMs, outcome, trace], [0, 3, 0, 'NO_SERVER', 'boot-1']);
});

test('of those that went well a share has a line; errors, retries and slow ones have theirs always', () => {
  const scene = new Scene(0.5, textLine);
  scene.draws = [0.4, 0.6];
  scene.answered(scene.request('drawn'));
  scene.answered(scene.request('not drawn'));
  const retried = scene.request('retried');
  retried.trouble = new Trouble(0);
  scene.answered(retried);
  scene.answered(scene.request('slow'), 501);
  scene.log.onRefused(scene.request('refused'), 'OVERLOADED', 'b-1');
  scene.log.onAbandoned(scene.request('gone'));
  scene.log.onPacketRefused({}, 'BAD_JSON', 'b-2');
  const who = scene.lines().map((line) => / client=("[^"]*"|\S+)/.exec(line)?.[1] ?? 'nobody');
  assert.deepEqual(who, ['drawn', 'retried', 'slow', 'refused', 'gone', 'nobody']);
});

test('a flood of errors is sampled too, and what was left out is counted', () => {
  const scene = new Scene(0.001);
  for (let sent = 0; sent < 5000; sent += 1) scene.log.onPacketRefused({}, 'BAD_PACKET', `b-${sent}`);
  assert.equal(scene.lines().length, 1000);
  scene.nextSecond();
  assert.deepEqual(
    scene.said.map(({ leftOut }) => leftOut),
    [4000],
  );
  scene.log.onPacketRefused({}, 'BAD_PACKET', 'b');
  assert.equal(scene.lines().length, 1001);
});

test('what a slow reader does not take is dropped and counted, and said once there is room again', () => {
  const scene = new Scene(1);
  scene.isSlow = true;
  const length = 20_000;
  for (let sent = 0; sent < length; sent += 1) scene.answered();
  const { dropped } = scene.log;
  assert.ok(dropped > 0);
  assert.ok(scene.written.length < MAX_PENDING_LENGTH / 10, 'nothing is written to it any more');
  scene.nextSecond();
  assert.equal(scene.said.length, 0, 'as long as there is no room');
  scene.isSlow = false;
  scene.emit('drain');
  scene.nextSecond();
  assert.deepEqual(
    scene.said.map((line) => line.dropped),
    [dropped],
  );
  assert.equal(scene.lines().length, length - dropped);
  assert.ok(scene.written.length <= 2 * MAX_PENDING_LENGTH);
  scene.nextSecond();
  assert.equal(scene.said.length, 1);
});

test('the end waits for a slow reader, until it has every line or its time is up', async () => {
  for (const isTaken of [true, false]) {
    const scene = new Scene(1);
    scene.isSlow = true;
    for (let sent = 0; sent < 500; sent += 1) scene.answered();
    const isWritten = (): boolean => scene.written.split('\n').length === 501;
    assert.ok(!isWritten());
    let isOver = false;
    const closed = scene.log.close().then(() => {
      isOver = true;
    });
    await new Promise(setImmediate);
    assert.deepEqual([isWritten(), isOver], [true, false]);
    if (isTaken) scene.take();
    else scene.timers.get(LAST_LINES_WITHIN_MS)?.();
    await closed;
    assert.equal(scene.timers.has(LAST_LINES_WITHIN_MS), !isTaken);
  }
  const gone = new Scene(1);
  gone.emit('error');
  await gone.log.close();
});

test('a reader that has gone costs the lines and nothing else', () => {
  const scene = new Scene(1);
  scene.emit('error');
  scene.answered();
  assert.deepEqual([scene.lines(), scene.log.dropped], [[], 1]);
});

const NASTY = [
  'a\nb',
  'a\r\n2026-11-30T12:00:00.000Z info  proxy: request',
  'x","outcome":"answered',
  '7 outcome=answered trace=z',
  '\u001b[2J\u009b\u2028\u202e',
  '\\" \\',
  '漢'.repeat(128),
  '"'.repeat(128),
];

for (const [name, format] of [
  ['JSON', jsonLine],
  ['text', textLine],
] as const) {
  test(`what a peer calls itself is one value of one line: ${name}`, () => {
    for (const nasty of NASTY) {
      const scene = new Scene(1, format);
      const request = scene.request(nasty, nasty);
      request.upstream = { id: nasty };
      scene.log.onAnswered(request, { id: nasty }, 1);
      const [line = '', ...more] = scene.lines();
      assert.deepEqual(more, []);
      assert.ok(!/[\p{Cc}\p{Zl}\p{Bidi_Control}]/u.test(line), JSON.stringify(line));
      assert.ok(line.length < 5000, `${line.length}`);
      const fields = name === 'JSON' ? JSON.parse(line) : valuesOf(line);
      assert.deepEqual(
        [fields.client, fields.policy, fields.server, fields.outcome],
        [nasty, nasty, nasty, 'answered'],
      );
      assert.equal(Object.keys(fields).length, name === 'JSON' ? 11 : 7);
    }
  });
}

// As somebody would read it: name=word, or name="quoted".
function valuesOf(line: string): Record<string, string> {
  const pairs = [...line.matchAll(/ (\w+)=("(?:[^"\\]|\\.)*"|\S+)/g)];
  return Object.fromEntries(
    pairs.map(([, name = '', value = '']) => [name, value.startsWith('"') ? JSON.parse(value) : value]),
  );
}
