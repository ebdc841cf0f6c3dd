// This project's proxy with several workers, each held to a fifth of a core: so two cores show how four workers scale.
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../kit/failure.ts';
import { ROOT } from '../../kit/project.ts';
import { startVersion } from './policy-proxy.ts';
import type { Target } from './target.ts';

// cgroups(7), version 1: of the second version threads can't be held one by one as easily.
const CONTROLLER = '/sys/fs/cgroup/cpu';
const PERIOD_US = 20_000;
const SHARE = 1 / 5;

export const heldWorkers: readonly Target[] = [1, 2, 4].map((workers) => ({
  name: `workers-${workers}`,
  description: `this proxy with --workers ${workers}, each held to a fifth of a core`,
  routesEveryRequest: true,
  start: async (context) => {
    const environment = { PROXY_WORKERS: String(workers) };
    const { stop, ...started } = await startVersion(context, ROOT, context.size, { environment });
    const release = await hold(started.pid, workers).catch(async (cause: unknown) => {
      await stop();
      const next = `Run it as root, where ${CONTROLLER} is the controller of version 1.`;
      throw new Failure('The workers could not be held to a fifth of a core.', next, { exitCode: 2, cause });
    });
    return { ...started, stop: () => stop().then(release) };
  },
}));

// A group for each thread. One worker is the main thread.
async function hold(pid: number, workers: number): Promise<() => Promise<void>> {
  const groups: string[] = [];
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    const name = await readFile(`/proc/${pid}/task/${thread}/comm`, 'utf8');
    if (workers === 1 ? thread !== String(pid) : !name.startsWith('worker')) continue;
    const group = join(CONTROLLER, `policy-proxy-bench-${thread}`);
    await mkdir(group);
    groups.push(group);
    await writeFile(join(group, 'cpu.cfs_period_us'), String(PERIOD_US));
    await writeFile(join(group, 'cpu.cfs_quota_us'), String(PERIOD_US * SHARE));
    await writeFile(join(group, 'tasks'), thread);
  }
  if (groups.length !== workers) throw new Error(`${groups.length} threads of ${workers} workers`);
  return async () => {
    for (const group of groups) await rmdir(group);
  };
}
