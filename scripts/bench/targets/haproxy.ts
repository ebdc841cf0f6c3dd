// shell · HAProxy in TCP mode, on one thread per processor or on one thread. Its configuration is peers/haproxy.cfg.
// Must never run it in the background: it is to end when the benchmark ends.
import { availableParallelism } from 'node:os';
import { freePorts } from '../../kit/ports.ts';
import { writeConfiguration } from './configuration.ts';
import { startPeer } from './peer.ts';
import type { RunningTarget, TargetContext } from './target.ts';
import { serverValues } from './template.ts';

/** @throws Failure when it does not start */
export async function startHaproxy(
  target: 'haproxy' | 'haproxy-1',
  { servers, peers, folder, signal }: TargetContext,
): Promise<RunningTarget> {
  const program = peers.haproxy;
  if (program === null) throw new Error('HAProxy has not been prepared.');
  const [port] = (await freePorts(1)) as [number];
  const threads = target === 'haproxy' ? availableParallelism() : 1;
  const values = { port, threads, ...serverValues(servers) };
  const file = await writeConfiguration(folder, `${target}.cfg`, 'haproxy.cfg', values);
  const peer = { target, port, program, args: ['-db', '-f', file], checkArgs: ['-c', '-f', file] };
  return await startPeer(peer, signal);
}
