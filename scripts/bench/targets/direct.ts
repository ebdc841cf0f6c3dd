// shell · no proxy at all: the generator talks to one server, which answers requests of every policy.
// Must never spread the requests over several servers: choosing one is what a proxy is for.
import type { RunningTarget, TargetContext } from './target.ts';

/** The first server, as the others reach it; there is nothing to start or stop. */
export async function startDirect({ servers }: TargetContext): Promise<RunningTarget> {
  const [first] = servers;
  if (first === undefined) throw new Error('There is no server.');
  return { name: 'direct', port: first.port, pid: null, stop: async () => {} };
}
