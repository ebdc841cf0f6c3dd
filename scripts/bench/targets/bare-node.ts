// shell · a Node process that answers by itself, over the proxy's own sockets: what is left of its cost is Node's and the kernel's.
// Must never be taken for a proxy: it forwards nothing.
import { join } from 'node:path';
import { freePorts } from '../../kit/ports.ts';
import { startProcess } from '../../kit/process.ts';
import type { RunningTarget, TargetContext } from './target.ts';

const SCRIPT = join(import.meta.dirname, '..', 'peers', 'bare-node.ts');
const START_TIMEOUT_MS = 10_000;

/** @throws Failure when it does not start */
export async function startBareNode({ signal }: Pick<TargetContext, 'signal'>): Promise<RunningTarget> {
  const [port] = (await freePorts(1)) as [number];
  const running = await startProcess(process.execPath, [SCRIPT, String(port)], {
    readyLine: /^ready$/,
    signal,
    deadlineMs: START_TIMEOUT_MS,
  });
  return { name: 'bare-node', port, pid: running.pid, stop: () => running.stop() };
}
