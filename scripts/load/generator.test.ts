import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatError } from '../../services/shared/packet.ts';
import { recordAgainst, runRecorded } from '../../test-support/recorded-run.ts';
import { answerTo, optionsFor, type Script, startScriptedProxy } from '../../test-support/scripted-proxy.ts';
import { resetConnection } from '../kit/reset-connection.ts';
import type { LoadProgress } from './generator.ts';
import type { LoadOptions } from './options.ts';
import type { LoadResult } from './result.ts';

const MODES = ['per-request', 'keep'] as const;

const answerRight: Script = (request, socket) => {
  socket.write(answerTo(request, 'a'));
};

async function runAgainst(script: Script, changes: Partial<LoadOptions> = {}): Promise<LoadResult> {
  return (await recordAgainst(script, changes)).result;
}

for (const connection of MODES) {
  test(`${connection}: everything answered right is ok, and policies are spread evenly`, async () => {
    const payloads = new Set<string>();
    const policies: string[] = [];
    const result = await runAgainst(
      (request, socket, index) => {
        payloads.add(request.payload);
        policies.push(request.policy);
        answerRight(request, socket, index);
      },
      { connection },
    );
    assert.equal(result.ok, 200);
    assert.equal(result.sent, 200);
    assert.equal(result.answered, 200);
    assert.equal(result.lost + result.wrong + result.dropped + result.errorReplies, 0);
    assert.equal(result.strayAnswers, 0);
    assert.equal(payloads.size, 200, 'every payload differs');
    assert.deepEqual(
      [...payloads].map((payload) => Buffer.byteLength(payload)).filter((bytes) => bytes !== 64),
      [],
    );
    const perPolicy = ['1', '2', '3'].map((name) => policies.filter((policy) => policy === name).length);
    assert.deepEqual(perPolicy, [67, 67, 66]);
    assert.equal(result.latencyMs.count, 200);
    assert.equal(result.policies['1']?.latencyMs.count, 67);
  });

  test(`${connection}: each request's own fate`, async (t) => {
    const fates: {
      name: string;
      script: Script;
      timeoutMs?: number;
      expected: (result: LoadResult) => unknown;
      want: unknown;
    }[] = [
      {
        name: 'the digest of another payload is wrong',
        script: (request, socket) =>
          socket.write(answerTo({ ...request, payload: `${request.payload}x` }, 'a')),
        expected: ({ wrong, answered, latencyMs }) => ({ wrong, answered, timed: latencyMs.count }),
        want: { wrong: 20, answered: 20, timed: 0 },
      },
      {
        name: 'error replies count by code',
        script: (_request, socket, index) =>
          socket.write(formatError(index % 4 === 0 ? 'OVERLOADED' : 'NO_SERVER', 'Nobody.')),
        expected: ({ errors, answered, errorLatencyMs }) => ({
          errors,
          answered,
          timed: errorLatencyMs.count,
        }),
        want: { errors: { NO_SERVER: 15, OVERLOADED: 5 }, answered: 20, timed: 20 },
      },
      {
        name: 'a reset is lost',
        script: (_request, socket) => resetConnection(socket),
        expected: ({ lostBy }) => lostBy,
        want: { reset: 20 },
      },
      {
        name: 'an end without a reply is lost',
        script: (_request, socket) => socket.end(),
        expected: ({ lostBy }) => lostBy,
        want: { closed: 20 },
      },
      {
        name: 'half a reply is lost',
        script: (request, socket) => socket.end(answerTo(request, 'a').slice(0, 50)),
        expected: ({ lostBy }) => lostBy,
        want: { unparseable: 20 },
      },
      {
        name: 'what is no object is lost',
        script: (_request, socket) => socket.write('hello\n'),
        expected: ({ lostBy }) => lostBy,
        want: { unparseable: 20 },
      },
      {
        name: 'what is no reply is lost',
        script: (_request, socket) => socket.write('{"type":2}\n'),
        expected: ({ lostBy }) => lostBy,
        want: { unparseable: 20 },
      },
      {
        name: 'silence is lost after the timeout',
        script: () => {},
        timeoutMs: 400,
        expected: ({ lostBy }) => lostBy,
        want: { timeout: 20 },
      },
      {
        name: 'a second answer is stray',
        script: (request, socket) => socket.write(answerTo(request, 'a').repeat(2)),
        expected: ({ ok, strayAnswers }) => ({ ok, strayAnswers }),
        want: { ok: 20, strayAnswers: 20 },
      },
      {
        name: 'an answer in pieces is ok',
        script: (request, socket) => {
          const text = answerTo(request, 'a');
          socket.setNoDelay(true);
          socket.write(text.slice(0, 30));
          setImmediate(() => socket.write(text.slice(30)));
        },
        expected: ({ ok }) => ok,
        want: 20,
      },
    ];
    for (const { name, script, expected, want, timeoutMs = 20_000 } of fates) {
      await t.test(name, async () => {
        const result = await runAgainst(script, { connection, durationSeconds: 0.02, timeoutMs });
        assert.deepEqual(expected(result), want);
        assert.equal(result.sent, 20);
      });
    }
  });
}

test('latency counts from the intended time: a stall shows in every request that was due during it', async () => {
  const stallMs = 300;
  // One thing at a time, as a proxy that is frozen: it hears nothing until the stall is over.
  let heldUntilMs = 0;
  const result = await runAgainst(
    (request, socket, index) => {
      if (index === 100) heldUntilMs = performance.now() + stallMs;
      const waitMs = heldUntilMs - performance.now();
      setTimeout(() => socket.write(answerTo(request, 'a')), Math.max(0, waitMs));
    },
    { rate: 500, durationSeconds: 1 },
  );
  assert.equal(result.ok, 500);
  assert.ok(result.latencyMs.max >= stallMs - 2, `max ${result.latencyMs.max}`);
  // 150 of 500 requests fell into the stall, with 0 to 300 ms: a fifth of all waited over 100 ms, a closed loop would show one.
  assert.ok(result.latencyMs.p90 >= 100, `p90 ${result.latencyMs.p90}`);
});

test("the generator's own stall is part of the latency, and of its own delay", async () => {
  let hasStalled = false;
  const onProgress = ({ due }: LoadProgress) => {
    if (due < 100 || hasStalled) return;
    hasStalled = true;
    const endMs = performance.now() + 150;
    while (performance.now() < endMs);
  };
  const { result } = await recordAgainst(answerRight, { durationSeconds: 0.6 }, { onProgress });
  assert.equal(result.ok, 600);
  assert.ok(result.startLagMs.max >= 140, `own delay ${result.startLagMs.max}`);
  // 150 of 600 requests started up to 150 ms late, so a tenth of all is at least 90 ms late.
  assert.ok(result.latencyMs.p90 >= 80, `p90 ${result.latencyMs.p90}`);
});

test('what comes later than --late is dropped, not sent', async () => {
  let hasStalled = false;
  const onProgress = ({ due }: LoadProgress) => {
    if (due < 100 || hasStalled) return;
    hasStalled = true;
    const endMs = performance.now() + 250;
    while (performance.now() < endMs);
  };
  const { result } = await recordAgainst(answerRight, { durationSeconds: 0.6, lateMs: 100 }, { onProgress });
  const late = result.droppedBy.late ?? 0;
  assert.ok(late >= 100, `late ${late}`);
  assert.equal(result.ok, 600 - late);
  assert.equal(result.sent, result.ok);
  assert.equal(result.lost, 0);
});

test('what is due while the bound is reached is dropped, and nothing is lost', async () => {
  const held: (() => void)[] = [];
  const { result } = await recordAgainst(
    (request, socket) => held.push(() => socket.write(answerTo(request, 'a'))),
    { maxInFlight: 10 },
    {
      onProgress: ({ due, planned }) => {
        if (due === planned && held.length === 10) for (const release of held.splice(0)) release();
      },
    },
  );
  assert.deepEqual(result.droppedBy, { 'in-flight-bound': 190 });
  assert.equal(result.ok, 10);
  assert.equal(result.sent, 10);
  assert.equal(result.lost, 0);
});

test('a refused connection in the middle of a run is lost', async () => {
  const proxy = await startScriptedProxy((request, socket, index) => {
    socket.end(answerTo(request, 'a'));
    if (index === 9) proxy.close();
  });
  const interruption = new AbortController();
  const { result } = await runRecorded(optionsFor(proxy.port, { durationSeconds: 60 }), {
    signal: interruption.signal,
    onProgress: ({ lost }) => {
      if (lost > 100) interruption.abort();
    },
  });
  // Some may have been connected when it closed.
  assert.ok((result.lostBy.refused ?? 0) > 0, JSON.stringify(result.lostBy));
});

test('the share of each server, of its policy and of all', async () => {
  const turns = new Map<string, number>();
  const result = await runAgainst(
    (request, socket) => {
      const turn = turns.get(request.policy) ?? 0;
      turns.set(request.policy, turn + 1);
      socket.write(answerTo(request, `${request.policy}${turn % 2 === 0 ? 'a' : 'b'}`));
    },
    { policies: ['1', '2'] },
  );
  assert.deepEqual(result.policies['2']?.servers, {
    '2a': { answers: 50, share: 0.5 },
    '2b': { answers: 50, share: 0.5 },
  });
  assert.deepEqual(Object.keys(result.servers), ['1a', '1b', '2a', '2b']);
  assert.equal(result.servers['1a']?.share, 0.25);
});

test('keep: connections are used again, and one that breaks while idle costs nothing', async () => {
  const used = new Set<unknown>();
  const proxy = await startScriptedProxy((request, socket, index) => {
    used.add(socket);
    socket.write(answerTo(request, 'a'), () => {
      // Long after the reply was read, and the next request of this rate is further away still.
      if (index === 5) setTimeout(() => socket.end(), 20);
    });
  });
  const { result } = await runRecorded(
    optionsFor(proxy.port, { connection: 'keep', connections: 1, rate: 10, durationSeconds: 1 }),
  );
  proxy.close();
  assert.equal(result.ok, 10);
  assert.equal(proxy.usedConnections(), 2);
});

test('keep: no request waits for a connection, and only the wanted number stays open', async () => {
  const held: (() => void)[] = [];
  const proxy = await startScriptedProxy((request, socket) => {
    held.push(() => socket.write(answerTo(request, 'a')));
    if (held.length === 50) held.forEach((release) => void release());
    if (held.length > 50) socket.write(answerTo(request, 'a'));
  });
  const { result } = await runRecorded(optionsFor(proxy.port, { connection: 'keep', connections: 2 }));
  proxy.close();
  assert.equal(result.ok, 200);
  assert.ok(proxy.usedConnections() >= 50, `connections ${proxy.usedConnections()}`);
});

test('an interrupted run ends early and says what it did not wait for', async () => {
  const interruption = new AbortController();
  const { result } = await recordAgainst(
    (request, socket, index) => {
      if (index < 20) socket.write(answerTo(request, 'a'));
      if (index === 20) interruption.abort();
    },
    { durationSeconds: 60, timeoutMs: 60_000 },
    { signal: interruption.signal },
  );
  assert.equal(result.wasInterrupted, true);
  assert.equal(result.planned, 60_000);
  assert.equal(result.ok, 20);
  assert.equal(result.droppedBy.interrupted, result.due - 20);
  assert.equal(result.sent, result.due);
  assert.equal(result.lost, 0);
  assert.ok(result.due < result.planned, 'it ended before everything was due');
});
