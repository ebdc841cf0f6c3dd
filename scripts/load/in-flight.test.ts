import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { formatError } from '../../services/shared/packet.ts';
import { type RecordedRun, recordAgainst, runRecorded } from '../../test-support/recorded-run.ts';
import { answerTo, optionsFor, type Script, startScriptedProxy } from '../../test-support/scripted-proxy.ts';
import { resetConnection } from '../kit/reset-connection.ts';
import type { RequestRecord } from './exchange.ts';
import type { LoadOptions } from './options.ts';

const answerRight: Script = (request, socket) => {
  socket.write(answerTo(request, 'a'));
};
const reset: Script = (_request, socket) => resetConnection(socket);
const refuse: Script = (_request, socket) => {
  socket.write(formatError('NO_SERVER', 'Nobody serves this policy.'));
};
const silence: Script = () => {};

const TWENTY = { durationSeconds: 0.02, retryForMs: 10_000 };

/** Does with the first attempt at each request what `first` says, and with all others what `then` says. */
function firstThen(first: Script, then: Script): Script {
  const seen = new Set<string>();
  return (request, socket, index) => {
    const script = seen.has(request.payload) ? then : first;
    seen.add(request.payload);
    script(request, socket, index);
  };
}

/** How the first attempts ended, and whether their connections stood; each way once. */
function firsts(records: RequestRecord[]): string[] {
  const seen = records.map(
    ({ first }) =>
      first && `${first.outcome} ${first.detail} ${first.openedEpochMs === null ? 'not open' : 'open'}`,
  );
  return [...new Set(seen)].map(String).sort();
}

function counted({ result }: RecordedRun): Record<string, number> {
  const { ok, wrong, errorReplies, lost, dropped, sent, retried, attempts } = result;
  return { ok, wrong, errorReplies, lost, dropped, sent, retried, attempts };
}

const NONE = { ok: 0, wrong: 0, errorReplies: 0, lost: 0, dropped: 0, sent: 20 };

for (const connection of ['per-request', 'keep'] as const) {
  const lie: Script = (request, socket) => socket.write(answerTo({ ...request, payload: 'another' }, 'a'));
  const complain: Script = (_request, socket) => socket.write(formatError('BAD_PACKET', 'It is bad.'));
  const leave: Script = (_request, socket) => socket.end(formatError('SHUTTING_DOWN', 'It stops.'));
  const cases: {
    name: string;
    script: Script;
    changes?: Partial<LoadOptions>;
    want: Record<string, number>;
    first: string;
  }[] = [
    {
      name: 'a reset is tried again',
      script: firstThen(reset, answerRight),
      want: { ...NONE, ok: 20, retried: 20, attempts: 40 },
      first: 'lost reset open',
    },
    {
      name: 'an end without a reply is tried again',
      script: firstThen((_request, socket) => socket.end(), answerRight),
      want: { ...NONE, ok: 20, retried: 20, attempts: 40 },
      first: 'lost closed open',
    },
    {
      name: 'a retryable error is tried again',
      script: firstThen(refuse, answerRight),
      want: { ...NONE, ok: 20, retried: 20, attempts: 40 },
      first: 'error NO_SERVER open',
    },
    {
      name: 'a proxy that says it stops, and closes, is tried again',
      script: firstThen(leave, answerRight),
      want: { ...NONE, ok: 20, retried: 20, attempts: 40 },
      first: 'error SHUTTING_DOWN open',
    },
    {
      name: 'silence is tried again after the time of an attempt',
      script: firstThen(silence, answerRight),
      changes: { attemptTimeoutMs: 1000, timeoutMs: 20_000 },
      want: { ...NONE, ok: 20, retried: 20, attempts: 40 },
      first: 'lost timeout open',
    },
    {
      name: 'an error that will not pass is not tried again',
      script: complain,
      want: { ...NONE, errorReplies: 20, retried: 0, attempts: 20 },
      first: 'null',
    },
    {
      name: 'a wrong digest is not tried again',
      script: lie,
      want: { ...NONE, wrong: 20, retried: 0, attempts: 20 },
      first: 'null',
    },
    {
      name: 'a wrong digest of a later attempt counts',
      script: firstThen(reset, lie),
      want: { ...NONE, wrong: 20, retried: 20, attempts: 40 },
      first: 'lost reset open',
    },
    {
      name: 'nothing is tried again by default, and --attempt-timeout has no meaning',
      script: (request, socket) => setTimeout(() => answerRight(request, socket, 0), 50),
      changes: { retryForMs: 0, attemptTimeoutMs: 1 },
      want: { ...NONE, ok: 20, retried: 0, attempts: 20 },
      first: 'null',
    },
  ];
  for (const { name, script, changes, want, first } of cases) {
    test(`${connection}: ${name}`, async () => {
      const run = await recordAgainst(script, { ...TWENTY, connection, ...changes });
      assert.deepEqual(counted(run), want);
      assert.deepEqual(firsts(run.records), [first]);
      assert.equal(run.result.strayAnswers, 0);
    });
  }

  test(`${connection}: a refused connection is tried again until the proxy is back at its port`, async () => {
    let isGone = false;
    const goingProxy = await startScriptedProxy((request, socket, index) => {
      socket.write(answerTo(request, 'before'), () => {
        if (index !== 9) return;
        goingProxy.close();
        isGone = true;
      });
    });
    const { port } = goingProxy;
    let coming: ReturnType<typeof startScriptedProxy> | null = null;
    const { result, records } = await runRecorded(
      optionsFor(port, { connection, durationSeconds: 0.5, rate: 200, retryForMs: 20_000 }),
      {
        onProgress: ({ due }) => {
          const script: Script = (request, socket) => socket.write(answerTo(request, 'after'));
          if (isGone && due >= 50) coming ??= startScriptedProxy(script, port);
        },
      },
    );
    (await (coming as ReturnType<typeof startScriptedProxy> | null))?.close();
    assert.equal(result.ok, 100, JSON.stringify(result.lostBy));
    assert.ok(result.retried > 0);
    assert.ok((result.servers.after?.answers ?? 0) > 0);
    assert.ok(firsts(records).includes('lost refused not open'), String(firsts(records)));
    assert.ok(!firsts(records).includes('lost refused open'));
  });
}

test('gives up at the limit, and the last outcome counts', async () => {
  const run = await recordAgainst(firstThen(reset, refuse), { ...TWENTY, retryForMs: 1000 });
  assert.deepEqual([run.result.errors, run.result.lost], [{ NO_SERVER: 20 }, 0]);
  assert.deepEqual(firsts(run.records), ['lost reset open']);
  for (const { latencyMs, attempts } of run.records) {
    assert.ok(latencyMs >= 1000, `gave up after ${latencyMs} ms`);
    // The waits are at least 25, 50 and then 100 ms.
    assert.ok(attempts >= 2 && attempts <= 13, `${attempts} attempts`);
  }
});

test('latency counts from the intended time, over all attempts', async () => {
  const { result, records } = await recordAgainst(firstThen(silence, answerRight), {
    ...TWENTY,
    attemptTimeoutMs: 200,
  });
  for (const { latencyMs, first } of records) {
    assert.ok((first?.endedMs ?? 0) >= 200, `ended ${first?.endedMs}`);
    assert.ok(latencyMs >= 225, `latency ${latencyMs}`);
  }
  assert.ok(result.latencyMs.p50 >= 225);
});

test('what is sent again holds up nothing that is due: every request comes though none is answered before', async () => {
  const seen = new Set<string>();
  const { result } = await recordAgainst(
    (request, socket, index) => {
      seen.add(request.payload);
      (seen.size === 200 ? answerRight : reset)(request, socket, index);
    },
    { retryForMs: 60_000 },
  );
  assert.equal(result.ok, 200);
  assert.ok(result.retried > 0);
});

test('the bound on requests in flight counts those that wait to be sent again', async () => {
  let isUp = false;
  const seen = new Set<string>();
  let mostInFlight = 0;
  const { result } = await recordAgainst(
    (request, socket, index) => {
      seen.add(request.payload);
      (isUp ? answerRight : refuse)(request, socket, index);
    },
    { maxInFlight: 5, retryForMs: 60_000 },
    {
      onProgress: ({ due, inFlight }) => {
        isUp = due === 200 && seen.size === 5;
        mostInFlight = Math.max(mostInFlight, inFlight);
      },
    },
  );
  assert.deepEqual(result.droppedBy, { 'in-flight-bound': 195 });
  assert.deepEqual([result.ok, result.sent, result.retried], [5, 5, 5]);
  assert.equal(mostInFlight, 5);
});

test('what waits to be sent again when the run is interrupted is dropped as interrupted', async () => {
  const interruption = new AbortController();
  const { result, records } = await recordAgainst(
    (request, socket, index) => {
      refuse(request, socket, index);
      if (index === 60) interruption.abort();
    },
    { rate: 100, durationSeconds: 60, retryForMs: 60_000 },
    { signal: interruption.signal },
  );
  assert.deepEqual(result.droppedBy, { interrupted: result.due });
  assert.equal(result.sent, result.due);
  assert.ok(result.due < result.planned, 'it ended before everything was due');
  assert.ok(records.some(({ first }) => first?.detail === 'NO_SERVER'));
});

test('an attempt that fails after the interruption would have been tried again: dropped, not lost', async () => {
  const interruption = new AbortController();
  const sockets: Socket[] = [];
  const { result, records } = await recordAgainst(
    (_request, socket, index) => {
      sockets.push(socket);
      if (index !== 9) return;
      interruption.abort();
      for (const each of sockets) resetConnection(each);
    },
    { rate: 100, durationSeconds: 60, retryForMs: 60_000 },
    { signal: interruption.signal },
  );
  assert.deepEqual(result.droppedBy, { interrupted: result.due });
  assert.deepEqual(firsts(records), ['null']);
});
