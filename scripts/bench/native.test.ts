// The benchmark's generator, compiled for real: against its own servers, a proxy, and peers that misbehave.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, type TestContext, test } from 'node:test';
import { answerTo, digestOf, eventOf, testProxy } from '../../test-support/cluster.ts';
import { type Frame, freePort, type Peer, scriptedServer, timer, within } from '../../test-support/peers.ts';
import { attempt } from '../kit/command.ts';
import type { Failure } from '../kit/failure.ts';
import { startProcess } from '../kit/process.ts';
import { SILENT } from '../kit/steps.ts';
import {
  type LoadResult,
  type LoadRun,
  type NativePrograms,
  prepareNative,
  runLoad,
  startServers,
} from './native.ts';

const NO_ERRORS = { errorReply: 0, reset: 0, timeout: 0, wrongDigest: 0, refused: 0 };
const RUN = {
  mode: 'keep',
  connections: 2,
  seconds: 0.4,
  payloadBytes: 64,
  policies: 1,
  warmupMs: 0,
} as const;
const LONG_LIVED_MS = 60_000;

let programs: NativePrograms;
before(async () => {
  programs = await prepareNative(SILENT);
});

const load = (run: LoadRun): Promise<LoadResult> => runLoad(programs, run, () => {});

test('compiles without a warning', async () => {
  const folder = join(import.meta.dirname, 'native');
  const args = ['-std=c11', '-O2', '-Wall', '-Wextra', '-Werror', '-fsyntax-only'];
  const sources = ['load.c', 'server.c'];
  const { isOk, tail } = await attempt('gcc', [...args, ...sources], { cwd: folder, timeoutMs: 60_000 });
  assert.ok(isOk, tail);
});

test('is not compiled again while its sources stay as they are', async () => {
  const phases: string[] = [];
  assert.deepEqual(await prepareNative({ ...SILENT, phase: (text) => phases.push(text) }), programs);
  assert.deepEqual(phases, []);
});

const modes: Pick<LoadRun, 'mode' | 'connections' | 'payloadBytes' | 'rate' | 'depth'>[] = [
  { mode: 'oneshot', connections: 8, payloadBytes: 64 },
  { mode: 'keep', connections: 8, payloadBytes: 1000 },
  { mode: 'pipeline', connections: 1, payloadBytes: 64, depth: 64 },
  { mode: 'open', connections: 1, payloadBytes: 64, rate: 500 },
];

const honest = (frame: Frame): object => answerTo(1, frame);
const findings: [keyof LoadResult['errors'], Partial<LoadRun>, (peer: Peer, frame: Frame) => void][] = [
  ['wrongDigest', {}, (peer, frame) => peer.send({ ...honest(frame), payload: digestOf('a lie') })],
  ['wrongDigest', { mode: 'oneshot' }, (peer) => peer.send('nonsense\n')],
  ['errorReply', {}, (peer) => peer.send({ type: -1, code: 'NO_SERVER' })],
  ['errorReply', { mode: 'oneshot' }, (peer) => peer.send('{"type": -1, "code": "NO_SERVER"}\n')],
  ['reset', {}, (peer) => peer.close()],
  ['reset', { mode: 'oneshot' }, (peer) => peer.reset()],
  ['reset', { mode: 'open', rate: 100 }, (peer) => peer.socket.destroy()],
];

// At the same time, because one of them does nothing but wait.
describe('runs', { concurrency: true }, () => {
  test('a request without an answer for 5 seconds is a timeout', async (t) => {
    const { requests, errors } = await load({ ...RUN, seconds: 7, port: await answering(t, () => {}) });
    assert.equal(requests, 0);
    assert.deepEqual(errors, { ...NO_ERRORS, timeout: RUN.connections });
  });

  test('answers are right, their requests counted and timed', async (t) => {
    for (const mode of modes) {
      await t.test(`${mode.mode}: every answer of a server is right`, async (t) => {
        const port = await freePort();
        const server = await startServers(programs, { first: 10, count: 1, policies: 1, port });
        t.after(server.process.stop);
        let starts = 0;
        const run = { ...mode, port, seconds: 1, policies: 3, warmupMs: 100 };
        const result = await runLoad(programs, run, () => (starts += 1));
        assert.equal(starts, 1);
        assert.deepEqual(result.errors, NO_ERRORS);
        assert.ok(result.requests > 0 && Number(result.cpuUs) > 0, JSON.stringify(result));
        assert.ok(result.seconds >= run.seconds, `${result.seconds} s`);
        const { p50, p90, p99, p999, max } = result.latencyUs;
        assert.ok(p50 > 0 && p50 <= p90 && p90 <= p99 && p99 <= p999 && p999 <= max, JSON.stringify(result));
      });
    }

    for (const run of [
      { ...RUN, mode: 'oneshot', connections: 8 },
      { ...RUN, mode: 'pipeline', connections: 1, depth: 64 },
    ] as const) {
      await t.test(`${run.mode}: through the proxy, with servers that register themselves`, async (t) => {
        const proxy = await testProxy(t);
        const spec = { first: 20, count: 2, policies: 1, port: await freePort(), proxyPort: proxy.port };
        t.after((await startServers(programs, spec)).process.stop);
        for (const id of [21, 22]) await eventOf(proxy, 'admitted', id);
        const result = await load({ ...run, port: proxy.port });
        assert.deepEqual(result.errors, NO_ERRORS);
        assert.ok(result.requests > 0, JSON.stringify(result));
      });
    }
  });

  test('what the generator notices', async (t) => {
    for (const [kind, run, behave] of findings) {
      await t.test(`${kind}, ${run.mode ?? RUN.mode}`, async (t) => {
        const { requests, errors } = await load({ ...RUN, ...run, port: await answering(t, behave) });
        assert.equal(requests, 0);
        assert.ok(errors[kind] > 0, JSON.stringify(errors));
        assert.deepEqual({ ...errors, [kind]: 0 }, NO_ERRORS);
      });
    }
    for (const mode of ['oneshot', 'keep'] as const) {
      await t.test(`nobody there, asked no more than 1,000 times a second, ${mode}`, async () => {
        const { requests, errors, seconds } = await load({ ...RUN, mode, port: await freePort() });
        assert.equal(requests, 0);
        assert.ok(errors.refused > 0 && errors.refused <= seconds * 1000 + 5, JSON.stringify(errors));
        assert.deepEqual({ ...errors, refused: 0 }, NO_ERRORS);
      });
    }
    await t.test('answers in the wrong order', async (t) => {
      const run = { ...RUN, mode: 'pipeline', depth: 2, connections: 1 } as const;
      const { errors } = await load({ ...run, port: await answering(t, swapping()) });
      assert.ok(errors.wrongDigest > 0, JSON.stringify(errors));
    });
  });
});

for (const run of [RUN, { ...RUN, mode: 'pipeline', depth: 5 }] as const) {
  test(`${run.mode}: answers may come in any pieces`, async (t) => {
    const port = await answering(t, dribbling());
    for (let answered = 0; answered < 20; ) {
      const { requests, errors } = await load({ ...run, connections: 1, port });
      assert.deepEqual(errors, NO_ERRORS);
      answered += requests;
    }
  });
}

test('a wrong command line ends with 2 and says what is wanted', async () => {
  for (const line of ['1 2', '']) {
    const generator = await startProcess(programs.load, line.split(' '));
    assert.equal(await generator.ended, 'exit code 2');
    assert.match(generator.tail(), /^Usage: load MODE PORT /);
  }
});

test('a generator that fails is a failure with its words', async () => {
  await assert.rejects(load({ ...RUN, port: 1, connections: 10_000_000 }), (error: Failure) => {
    assert.match(error.message, /^The load generator has failed: exit code 1\.$/);
    assert.match(error.tail, /connections: Too many open files/);
    return true;
  });
});

test('CPU time of processes, of their threads and of those that have ended', async (t) => {
  const port = await answering(t, () => {});
  const idle = await startProcess('sleep', ['60']);
  const busy = await startProcess('sh', ['-c', 'while :; do :; done']);
  t.after(() => Promise.all([idle.stop(), busy.stop()]));
  const { cpuUs } = await load({ ...RUN, port, pids: [idle.pid, busy.pid] });
  const [own = 0, ofIdle = 0, ofBusy = 0, ...others] = cpuUs;
  assert.ok(own > 0 && ofBusy > 10 * ofIdle, JSON.stringify(cpuUs));
  assert.deepEqual(others, []);
  await idle.stop();
  const message = `Process ${idle.pid} has ended while it was measured.`;
  await assert.rejects(load({ ...RUN, port, pids: [busy.pid, idle.pid] }), { message });
});

test('the open loop sends what is due whether or not there are answers, and nothing before it is due', async (t) => {
  const [rate, wanted] = [500, 200];
  const enough = Promise.withResolvers<void>();
  let came = 0;
  const port = await answering(t, () => {
    came += 1;
    if (came === wanted) enough.resolve();
  });
  const interruption = new AbortController();
  const isDue = timer(((wanted - 1) * 1000) / rate - 1);
  const run = { ...RUN, mode: 'open', rate, seconds: 60, port } as const;
  const running = runLoad(programs, run, () => {}, interruption.signal);
  running.catch(() => {});
  await within(enough.promise, LONG_LIVED_MS, `${wanted} requests`);
  assert.ok(isDue());
  interruption.abort(new Error('enough'));
  await assert.rejects(running, /enough/);
});

test('an interruption ends a load', async (t) => {
  const port = await answering(t, () => {});
  const controller = new AbortController();
  const run = { ...RUN, port, seconds: 60 };
  const running = runLoad(programs, run, () => controller.abort(new Error('enough')), controller.signal);
  await assert.rejects(running, /enough/);
});

// A server whose every request is handed to `behave`.
async function answering(t: TestContext, behave: (peer: Peer, frame: Frame) => void): Promise<number> {
  const server = await scriptedServer((peer) => {
    const handle = async (): Promise<void> => {
      for (;;) behave(peer, await peer.nextFrame(LONG_LIVED_MS));
    };
    // Ends when the connection does.
    handle().catch(() => {});
  });
  t.after(server.close);
  return server.port;
}

function swapping(): (peer: Peer, frame: Frame) => void {
  let held: Frame | null = null;
  return (peer, frame) => {
    if (held === null) {
      held = frame;
      return;
    }
    peer.send(honest(frame));
    peer.send(honest(held));
    held = null;
  };
}

// Right answers, joined and cut wherever it comes.
function dribbling(): (peer: Peer, frame: Frame) => void {
  let unsent = '';
  let pieces = 0;
  const sendPiece = (peer: Peer): void => {
    const length = (pieces++ * 7) % 250;
    peer.send(unsent.slice(0, length));
    unsent = unsent.slice(length);
    if (unsent !== '') setImmediate(sendPiece, peer);
  };
  return (peer, frame) => {
    if (unsent === '') setImmediate(sendPiece, peer);
    unsent += `${JSON.stringify(honest(frame))}\n`;
  };
}
