// A run whose load generator dies ends at once: nothing that it waited for keeps the process alive. Faults are reported.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { answerTo, startScriptedProxy } from '../../../test-support/scripted-proxy.ts';
import type { DockerCluster } from '../../cluster/docker.ts';
import type { FaultReport } from '../../cluster/operator.ts';
import type { Recording } from '../journal.ts';
import type { PhaseLengths, PlannedFault } from '../plan.ts';
import { makePlan } from '../plans.ts';
import { scenarioOf } from '../scenarios/index.ts';
import { type RunSetting, recordRun } from './run.ts';

const LONG_MS = 3_600_000;

function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}

/** Runs the control scenario without Docker. @param change what differs in its plan */
function record(
  port: number,
  { phases, faults = [] }: { phases: Partial<PhaseLengths>; faults?: PlannedFault[] },
  report: RunSetting['report'] = async () => {},
): Promise<Recording> {
  const wishes = {
    seed: 1,
    rate: 100,
    services: { 'server-p1': '1' },
    serversPerPolicy: 2,
    faultsMs: null,
    onlyPolicy: null,
  };
  const made = makePlan(scenarioOf({ scenario: 'control' }), wishes);
  const setting: RunSetting = {
    plan: { ...made, phases: { ...made.phases, ...phases }, faults },
    cluster: { replicas: async () => [] } as unknown as DockerCluster,
    proxies: [{ name: 'proxy-1', adminUrl: 'http://127.0.0.1:1' }],
    target: `127.0.0.1:${port}`,
    remember: () => {},
    heal: async () => [],
    report,
    show: async (signal, steps) => {
      const silent = { signal, phase: () => {}, line: () => {} };
      for (const step of steps) await step.run(silent);
    },
  };
  return recordRun(setting, new AbortController().signal);
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
  const recording = await record(proxy.port, { phases: { warmUpMs: 0, controlMs: LONG_MS } });
  assert.match(recording.cutShort ?? '', /load generator ended by itself/);
  assert.equal(timers(), timersBefore);
});

test('each fault is reported when it begins and when it is over; a report that fails stops nothing', async (t) => {
  const proxy = await startScriptedProxy((request, socket) => void socket.write(answerTo(request, 'a')));
  t.after(() => proxy.close());
  const reports: FaultReport[] = [];
  const fault: PlannedFault = {
    id: 1,
    kind: 'kill',
    targets: ['server-p1-1', 'server-p1-2'],
    atMs: 300,
    forMs: 0,
    params: {},
  };
  const phases = { warmUpMs: 0, controlMs: 300, faultsMs: 1, quietMs: 0, afterMs: 0 };
  const recording = await record(proxy.port, { phases, faults: [fault] }, async (report) => {
    reports.push(report);
    throw new Error('the proxy does not answer');
  });
  assert.equal(recording.cutShort, null);
  const [begin] = reports;
  assert.partialDeepStrictEqual(begin, {
    phase: 'begin',
    kind: 'kill',
    target: 'server-p1-1, server-p1-2',
    detail: 'chaos control, seed 1',
  });
  assert.deepEqual(reports, [begin, { ...begin, phase: 'end' }]);
});
