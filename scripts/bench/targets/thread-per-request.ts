// shell · the plain design, in Python: a thread and an upstream connection for each request. It is peers/thread_per_request.py.
// Must never be tuned beyond that: it shows what the design itself costs.
import { join } from 'node:path';
import { freePorts } from '../../kit/ports.ts';
import { startProcess } from '../../kit/process.ts';
import type { RunningTarget, TargetContext } from './target.ts';

const SCRIPT = join(import.meta.dirname, '..', 'peers', 'thread_per_request.py');
const START_TIMEOUT_MS = 10_000;

/** @throws Failure when it does not start */
export async function startThreadPerRequest({
  servers,
  peers,
  signal,
}: TargetContext): Promise<RunningTarget> {
  const program = peers.python;
  if (program === null) throw new Error('Python has not been prepared.');
  const [port] = (await freePorts(1)) as [number];
  const table = servers.map((server) => `${server.policy}:${server.port}`);
  const { env } = program;
  const running = await startProcess(program.path, [SCRIPT, String(port), ...table], {
    readyLine: /^ready$/,
    env,
    signal,
    deadlineMs: START_TIMEOUT_MS,
  });
  return { name: 'thread-per-request', port, pid: running.pid, stop: () => running.stop() };
}
