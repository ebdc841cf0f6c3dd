// A run whose load generator dies ends at once: nothing that it waited for keeps the process alive.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { answerTo, startScriptedProxy } from '../../../test-support/scripted-proxy.ts';
import type { DockerCluster } from '../../cluster/docker.ts';
import { makePlan } from '../plans.ts';
import { scenarioOf } from '../scenarios/index.ts';
import { recordRun } from './run.ts';

const LONG_MS = 3_600_000;

function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}

test('the load generator dies in the middle of a part: the run says so and waits for nothing more', async (t) => {
  const threads: Worker[] = [];
  const collect = (thread: Worker): void => void threads.push(thread);
  process.on('worker', collect);
  t.after(() => process.off('worker', collect));
  const timersBefore = timers();
  const proxy = await startScriptedProxy((request, socket, index) => {
    socket.write(answerTo(request, 'a'));
    if (index === 50) for (const thread of threads) void thread.terminate();
  });
  t.after(() => proxy.close());
  const wishes = {
    seed: 1,
    rate: 100,
    services: { 'server-p1': '1' },
    serversPerPolicy: 2,
    faultsMs: null,
    onlyPolicy: null,
  };
  const made = makePlan(scenarioOf({ scenario: 'control' }), wishes);
  const plan = { ...made, phases: { ...made.phases, warmUpMs: 0, controlMs: LONG_MS } };
  const recording = await recordRun(
    {
      plan,
      cluster: { replicas: async () => [] } as unknown as DockerCluster,
      adminUrl: 'http://127.0.0.1:1',
      proxy: `127.0.0.1:${proxy.port}`,
      remember: () => {},
      heal: async () => [],
      show: async (signal, steps) => {
        const silent = { signal, phase: () => {}, line: () => {} };
        for (const step of steps) await step.run(silent);
      },
    },
    new AbortController().signal,
  );
  assert.match(recording.cutShort ?? '', /load generator ended by itself/);
  assert.equal(timers(), timersBefore);
});
