// The generator in its thread: records while it runs, its end, and what is told when it fails.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort } from '../../test-support/peers.ts';
import { answerTo, startScriptedProxy } from '../../test-support/scripted-proxy.ts';
import type { RequestRecord } from './exchange.ts';
import { startLoad } from './load-thread.ts';

test('every request is told when it has ended, and the end when it is stopped', async (t) => {
  const server = await startScriptedProxy((request, socket) => void socket.write(answerTo(request, 'a')));
  t.after(() => server.close());
  const enough = Promise.withResolvers<void>();
  const requests: RequestRecord[] = [];
  const args = ['--proxy', `127.0.0.1:${server.port}`, '--rate', '500', '--duration', '86400'];
  const load = startLoad(args, (request) => {
    if (requests.push(request) === 20) enough.resolve();
  });
  const firstMs = await load.started;
  await enough.promise;
  const { strayAnswers, startLagP99Ms } = await load.stop();
  assert.equal(strayAnswers, 0);
  assert.ok(startLagP99Ms >= 0);
  assert.equal(requests[0]?.dueEpochMs, firstMs);
  const outcomes = new Set(requests.map(({ outcome, detail }) => `${outcome} ${detail}`));
  assert.ok(outcomes.delete('ok a'));
  assert.deepEqual(
    [...outcomes].filter((outcome) => outcome !== 'dropped interrupted'),
    [],
  );
});

test('a generator that fails, or ends before it is stopped, says so', async (t) => {
  const nowhere = startLoad(['--proxy', `127.0.0.1:${await freePort()}`], () => {});
  await assert.rejects(nowhere.started, /^Error: The load generator failed: .*can't be reached/);
  await assert.rejects(nowhere.failed, /can't be reached/);
  await assert.rejects(nowhere.stop(), /can't be reached/);
  const server = await startScriptedProxy((request, socket) => void socket.write(answerTo(request, 'a')));
  t.after(() => server.close());
  const short = startLoad(['--proxy', `127.0.0.1:${server.port}`, '--duration', '0.1'], () => {});
  await assert.rejects(short.failed, /^Error: The load generator ended by itself\.$/);
});
