// The fuzzer: it passes on the code as it is, and finds what is broken on purpose.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { dirname, resolve } from 'node:path';
import { test } from 'node:test';
import * as framing from '../../services/shared/framing.ts';
import * as packet from '../../services/shared/packet.ts';
import { answerTo, eventually } from '../../test-support/cluster.ts';
import { PATIENCE_MS, type Peer, scriptedServer, within } from '../../test-support/peers.ts';
import { resetConnection } from '../kit/reset-connection.ts';
import { CATALOGUE_SIZE, drawInput, type Input } from './draw.ts';
import { expectReplies, judgeReplies } from './expected-replies.ts';
import { fuzzInProcess, type InProcessTally, type Job } from './in-process.ts';
import { startNormalClient } from './normal-client.ts';
import { type CodeUnderTest, checkInput, type Finding } from './oracle.ts';
import { runFuzz } from './run.ts';
import { Attack, fuzzOverSockets, type SocketsTally } from './sockets.ts';

const SEED = 20_261;
const DRAWN_INPUTS = 2000;
// The number of inputs ends it.
const forMs = Number.POSITIVE_INFINITY;
const onProgress = (): void => {};
// What is small finds enough, and quickly. From both ends: what is broken shows in the streams of the catalogue, which come
// first, or in its plain requests and in what is drawn, which come last.
const SMALL_INPUTS = Array.from({ length: CATALOGUE_SIZE + 1000 }, (_, number) => drawInput(SEED, number))
  .filter(({ bytes }) => bytes.length <= 20_000)
  .map((_, at, all) => all.at(at % 2 === 0 ? at / 2 : -(at + 1) / 2) as Input);

test('in-process: nothing is found', async (t) => {
  const count = CATALOGUE_SIZE + DRAWN_INPUTS;
  const tally = await fuzzInProcess({
    seed: SEED,
    first: 0,
    count,
    forMs,
    signal: t.signal,
    onProgress,
  });
  assert.equal(tally.finding, null);
  assert.equal(tally.inputs, count);
  assert.ok(tally.frames > count);
});

test('in-process: the time ends it, on all cores, and the catalogue is tried all the same', async (t) => {
  const job = { seed: SEED, first: 0, count: null, forMs: 1, signal: t.signal, onProgress };
  const tally = await fuzzInProcess(job);
  assert.equal(tally.finding, null);
  assert.equal(tally.inputs, CATALOGUE_SIZE);
});

test('over sockets: nothing is found, and the normal client is served', async (t) => {
  const first = CATALOGUE_SIZE;
  const job = { seed: SEED, first, count: 200, forMs, signal: t.signal, onProgress };
  const tally = await fuzzOverSockets(job);
  assert.equal(tally.finding, null);
  assert.equal(tally.inputs, 200);
  assert.ok(tally.normal.requests > 0);
  assert.equal(tally.normal.answered, tally.normal.requests);
});

test('a normal client that is answered behind thousands that came later is not served, however long that took', async (t) => {
  let [ended, behind] = [0, 1];
  const answerAll = async (peer: Peer): Promise<void> => {
    for (;;) {
      const frame = await peer.nextFrame();
      ended += behind;
      peer.send(answerTo(1, frame));
    }
  };
  // Ends when the connection does.
  const proxy = await scriptedServer((peer) => void answerAll(peer).catch(() => {}));
  const problems: string[] = [];
  const overtaken = Promise.withResolvers<void>();
  const client = startNormalClient(
    proxy.port,
    'p',
    () => ended,
    (problem) => {
      problems.push(problem);
      overtaken.resolve();
    },
  );
  t.after(() => client.stop().then(proxy.close));
  await eventually(async () => client.tally.answered >= 10);
  assert.deepEqual(problems, []);
  behind = 5001;
  await within(overtaken.promise, PATIENCE_MS, 'problem');
  assert.match(problems[0] ?? '', /^"normal \d+" was answered behind \d+ others$/);
});

test('a session that another server takes over is refused once more, and owes no more than that', () => {
  const setup = '{"type":1,"id":1,"privPoliId":1,"listenport":9,"session":true}';
  const expected = expectReplies(Buffer.from(`${setup}{"type":7}`), 8192, false);
  const registered = packet.formatRegistered(1, '1', 'boot');
  const replaced = packet.formatError('REGISTRATION_REFUSED', 'Another server has taken its place.');
  assert.equal(judgeReplies(registered + replaced, expected, true), null);
  const wrong = judgeReplies(registered + packet.formatError('BAD_JSON', 'No JSON at all.'), expected, true);
  assert.match(wrong ?? '', /1 replies to what is owed 0: BAD_JSON/);
});

test('the same seed and number make the same input', () => {
  for (const number of [0, CATALOGUE_SIZE, CATALOGUE_SIZE + 77, 1_000_000]) {
    assert.deepEqual(drawInput(7, number), drawInput(7, number));
  }
  assert.notDeepEqual(drawInput(7, 1_000_000).bytes, drawInput(8, 1_000_000).bytes);
});

function withPacket(changes: Partial<typeof packet>): CodeUnderTest {
  return { framing, packet: { ...packet, ...changes } };
}

function withReader(FrameReader: typeof framing.FrameReader): CodeUnderTest {
  return { framing: { ...framing, FrameReader }, packet };
}

const BROKEN: [name: string, code: CodeUnderTest][] = [
  [
    'a byte is lost at the edge of a chunk',
    withReader(
      class extends framing.FrameReader {
        override feed(chunk: Buffer): void {
          super.feed(this.isMidFrame ? chunk.subarray(1) : chunk);
        }
      },
    ),
  ],
  [
    'a chunk is kept that its owner fills again',
    withReader(
      class extends framing.FrameReader {
        #held: Buffer = Buffer.alloc(0);
        override feed(chunk: Buffer): void {
          this.#held = chunk;
          super.feed(chunk);
        }
        override next(): boolean {
          const hasFrame = super.next();
          if (!hasFrame && this.isMidFrame && this.#held.length === this.bytes.length)
            this.bytes = this.#held;
          return hasFrame;
        }
      },
    ),
  ],
  [
    'a chunk is not kept whose owner fills it again',
    withReader(
      class extends framing.FrameReader {
        override keep(): void {}
      },
    ),
  ],
  [
    'a line without its end',
    withReader(
      class extends framing.FrameReader {
        override line(): string {
          return super.line().trimEnd();
        }
      },
    ),
  ],
  [
    'a plain request of any length is taken',
    withPacket({
      parsePlainRequest: (text, bytes, start) => {
        const [, before = '', payload = ''] = /^(.*"payload": ")(x{1025})"}/.exec(text) ?? [];
        if (payload === '') return packet.parsePlainRequest(text, bytes, start);
        const short = packet.parsePlainRequest(`${before}"}`, bytes, start);
        return short === null ? null : { ...short, payload };
      },
    }),
  ],
  [
    'the payload of a plain request is not looked at',
    withPacket({
      parsePlainRequest: (text) => packet.parsePlainRequest(text, Buffer.alloc(text.length, 'x'), 0),
    }),
  ],
  [
    'a plain request is taken for one with a number',
    withPacket({
      parsePlainRequest: (...request) => {
        const plain = packet.parsePlainRequest(...request);
        return plain === null ? null : { ...plain, clientId: Number(plain.clientId) };
      },
    }),
  ],
  [
    'a frame one byte over the limit is taken',
    withReader(
      class extends framing.FrameReader {
        constructor(maxFrameBytes?: number) {
          super((maxFrameBytes ?? framing.DEFAULT_MAX_FRAME_BYTES) + 1);
        }
      },
    ),
  ],
  [
    'a lone surrogate makes the parser throw',
    withPacket({
      parsePacket: (text) => {
        const understood = packet.parsePacket(text);
        const isRefused = understood.kind === 'fault' && understood.code === 'BAD_PACKET';
        if (isRefused) encodeURIComponent(Object.values(JSON.parse(text)).join());
        return understood;
      },
    }),
  ],
  [
    'a lone surrogate in a field without a meaning is taken',
    withPacket({ parsePacket: (text) => packet.parsePacket(text.replace(/"x":"a\\ud800"/g, '"x":1')) }),
  ],
  [
    'a lone surrogate that a second field hides is taken',
    withPacket({
      parsePacket: (text) => packet.parsePacket(text.replace(/"x":"\\u[dD][^,]+","x":1/, '"x":1')),
    }),
  ],
  [
    'a server takes a lone surrogate from its proxy',
    withPacket({ parseFromProxy: (text) => packet.parseFromProxy(text.replaceAll('\\ud800', '')) }),
  ],
  [
    '33 levels are taken',
    withPacket({
      parsePacket: (text) => packet.parsePacket(text.replaceAll(`${'['.repeat(32)}]`, `${'['.repeat(31)}`)),
    }),
  ],
  [
    '32 levels are refused',
    withPacket({
      parsePacket: (text) => packet.parsePacket(text.replaceAll(`${'['.repeat(31)}]`, `${'['.repeat(32)}]]`)),
    }),
  ],
  [
    'a large number is rounded',
    withPacket({
      parsePacket: (text) =>
        packet.parsePacket(text.replaceAll('9007199254740993', '9007199254740992'.slice(0, 15))),
    }),
  ],
  [
    'a fraction is cut off',
    withPacket({ parsePacket: (text) => packet.parsePacket(text.replace(/(\d)\.0\b/g, '$1')) }),
  ],
  ['-0 is 0', withPacket({ parsePacket: (text) => packet.parsePacket(text.replace(/:-0([,}])/g, ':0$1')) })],
  [
    'a plain -0 is 0',
    withPacket({
      parsePlainRequest: (text, ...rest) =>
        packet.parsePlainRequest(text.replace('"srcid": -0', '"srcid":  0'), ...rest),
    }),
  ],
  [
    'a number in a field without a meaning is refused',
    withPacket({
      parsePacket: (text) => packet.parsePacket(text.replace('"payloadsize":1.0', '"srcid":1.0')),
    }),
  ],
  [
    'NUL between packets is no white space',
    withReader(
      class extends framing.FrameReader {
        override next(): boolean {
          const hasFrame = super.next();
          if (hasFrame && this.start > 0 && this.bytes[this.start - 1] === 0) this.fault = 'not-an-object';
          return hasFrame && this.fault === null;
        }
      },
    ),
  ],
  [
    'a byte order mark is not called one',
    withReader(
      class extends framing.FrameReader {
        override next(): boolean {
          const hasFrame = super.next();
          if (this.fault === 'byte-order-mark') this.fault = 'not-an-object';
          return hasFrame;
        }
      },
    ),
  ],
  [
    'fields reach the prototype',
    withPacket({
      parsePacket: (text) => {
        const understood = packet.parsePacket(text);
        if (text.includes('"polluted":true')) Reflect.set(Object.prototype, 'polluted', true);
        return understood;
      },
    }),
  ],
  [
    'the first of two equal names counts',
    withPacket({
      parsePacket: (text) => packet.parsePacket(text.replace(/("type":[^,}]+)(.*),"type":[^,}]+/, '$1$2')),
    }),
  ],
  [
    'a refusal is too long for old clients',
    withPacket({
      formatError: (code, sentence, details) =>
        packet.formatError(code, sentence, details).replace('}\n', `,"why":"${sentence.repeat(20)}"}\n`),
    }),
  ],
  [
    'a wrong code',
    withPacket({
      parsePacket: (text) => {
        const understood = packet.parsePacket(text);
        const isTooLarge = understood.kind === 'fault' && understood.code === 'PAYLOAD_TOO_LARGE';
        return isTooLarge ? { ...understood, code: 'BAD_PACKET' } : understood;
      },
    }),
  ],
];

for (const [name, code] of BROKEN) {
  test(`found in-process: ${name}`, (t) => {
    t.after(() => Reflect.deleteProperty(Object.prototype, 'polluted'));
    assert.notEqual(anyFinding(code), null);
  });
}

test('found in-process: nothing in code that is right', () => {
  assert.equal(anyFinding({ framing, packet }), null);
});

function anyFinding(code: CodeUnderTest): Finding | null {
  for (const input of SMALL_INPUTS) {
    const { finding } = checkInput(code, input);
    if (finding !== null) return finding;
  }
  return null;
}

const REFUSAL = packet.formatError('BAD_JSON', 'Nothing is right here.');
const BROKEN_PROXIES: [name: string, onData: (socket: Socket) => void][] = [
  ['closes without a word', (socket) => socket.end()],
  ['resets each connection', resetConnection],
  ['answers with what is no packet', (socket) => socket.end('HTTP/1.1 400 Bad Request\n')],
  ['says everything twice', (socket) => socket.end(REFUSAL + REFUSAL)],
];

for (const [name, onData] of BROKEN_PROXIES) {
  test(`found over sockets: a proxy that ${name}`, async (t) => {
    const proxy = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => onData(socket));
    });
    t.after(() => proxy.close());
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const { port } = proxy.address() as AddressInfo;
    const job = {
      seed: SEED,
      first: CATALOGUE_SIZE,
      count: 100,
      forMs,
      signal: t.signal,
      onProgress,
    };
    const attack = new Attack(job);
    await attack.run(port);
    assert.equal(attack.tally.finding?.check, 'every connection gets what the protocol owes it');
    assert.ok((attack.tally.finding?.numbers.length ?? 0) > 0);
  });
}

const FINDING = { check: 'nothing throws', detail: 'it threw', numbers: [CATALOGUE_SIZE] };
const FOUND: InProcessTally = { inputs: 9, frames: 9, finding: FINDING };
const NORMAL = { requests: 1, answered: 1, slowestMs: 1 };
const CLEAN: SocketsTally = { inputs: 3, replies: 3, normal: NORMAL, finding: null };
const OPTIONS = {
  seconds: 1,
  seed: SEED,
  input: null,
  places: ['in-process', 'sockets'],
  isJson: true,
} as const;

const NEXT_PLACE: [what: string, run: (signal: AbortSignal) => SocketsTally][] = [
  ['returns what it has', () => CLEAN],
  [
    'has not begun in earnest',
    (signal) => {
      throw signal.reason;
    },
  ],
];

for (const [what, run] of NEXT_PLACE) {
  test(`interrupted after a finding, where the next place ${what}: it was printed before, and counts`, async (t) => {
    const printed: string[] = [];
    t.mock.method(console, 'error', (text: string) => printed.push(text));
    const documents: string[] = [];
    t.mock.method(console, 'log', (text: string) => documents.push(text));
    const interruption = new AbortController();
    let before = '';
    const sockets = async ({ signal }: Job): Promise<SocketsTally> => {
      before = printed.join('\n');
      interruption.abort(new Error('interrupted'));
      return run(signal);
    };
    const places = { 'in-process': async () => FOUND, sockets };
    assert.equal(await runFuzz(OPTIONS, places, interruption.signal), true);
    assert.match(before, /Not kept in-process: nothing throws\n {2}it threw\n/);
    const file = /the bytes: (\S+\.bin)/.exec(before)?.[1] ?? '';
    t.after(() => rmSync(dirname(resolve(file)), { recursive: true }));
    assert.deepEqual(readFileSync(file), drawInput(SEED, CATALOGUE_SIZE).bytes);
    assert.match(printed.join('\n'), /Ended early: something was found/);
    const { verdict, inProcess } = JSON.parse(documents.join('\n'));
    assert.deepEqual([verdict, inProcess.finding], ['fail', FINDING]);
  });
}

test('interrupted before anything was found: nothing is claimed', async (t) => {
  t.mock.method(console, 'error', () => {});
  const documents: string[] = [];
  t.mock.method(console, 'log', (text: string) => documents.push(text));
  const interruption = new AbortController();
  const inProcess = (job: Job): Promise<InProcessTally> => {
    setImmediate(() => interruption.abort(new Error('interrupted')));
    return fuzzInProcess(job);
  };
  const places = { 'in-process': inProcess, sockets: () => assert.fail('no other place begins') };
  const endless = { ...OPTIONS, seconds: 600 };
  assert.equal(await runFuzz(endless, places, interruption.signal), false);
  assert.equal(JSON.parse(documents.join('\n')).verdict, 'unknown');
});

test('over sockets: what was found before an interruption stays, and what breaks by it is no finding', () => {
  const interruption = new AbortController();
  const job = { seed: SEED, first: 0, count: 1, forMs, signal: interruption.signal, onProgress };
  const [found, clean] = [new Attack(job), new Attack(job)];
  found.end('the proxy stays up', 'it ended');
  interruption.abort();
  for (const attack of [found, clean]) attack.end('the normal client is served', 'its connection was reset');
  assert.equal(found.tally.finding?.detail, 'it ended');
  assert.equal(clean.tally.finding, null);
});
