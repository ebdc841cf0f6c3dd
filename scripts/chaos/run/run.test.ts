// A run whose load generator dies ends at once: nothing that it waited for keeps the process alive.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { answerTo, startScriptedProxy } from '../../../test-support/scripted-proxy.ts';
import type { DockerCluster } from '../../cluster/docker.ts';
import { makePlan } from '../plans.ts';
import { scenarioOf } from '../scenarios/index.ts';
import { recordRun } from './run.ts';

const LONG_MS = 3_600_000;

/** The processes that this one has started. */
function children(): number[] {
  const text = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}

test('the load generator dies in the middle of a part: the run says so and waits for nothing more', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const before = children();
  const timersBefore = timers();
  const proxy = await startScriptedProxy((request, socket, index) => {
    socket.write(answerTo(request, 'a'));
    if (index !== 50) return;
    for (const pid of children()) if (!before.includes(pid)) process.kill(pid, 'SIGKILL');
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
