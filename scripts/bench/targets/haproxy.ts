// shell · HAProxy in TCP mode, on one thread per processor or on one thread. Its configuration is peers/haproxy.cfg.
// Must never run it in the background: it is to end when the benchmark ends.
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../ports.ts';
import { startPeer } from './peer.ts';
import type { RunningTarget, TargetContext } from './target.ts';
import { fillTemplate, serverValues } from './template.ts';

const TEMPLATE = join(import.meta.dirname, '..', 'peers', 'haproxy.cfg');

/** @throws Failure when it does not start */
export async function startHaproxy(
  target: 'haproxy' | 'haproxy-1',
  { servers, peers, folder, signal }: TargetContext,
): Promise<RunningTarget> {
  const program = peers.haproxy;
  if (program === null) throw new Error('HAProxy has not been prepared.');
  const [port] = (await freePorts(1)) as [number];
  const threads = target === 'haproxy' ? availableParallelism() : 1;
  const template = await readFile(TEMPLATE, 'utf8');
  const file = join(folder, `${target}.cfg`);
  await writeFile(file, fillTemplate(template, { port, threads, ...serverValues(servers) }));
  const peer = { target, port, program, args: ['-db', '-f', file], checkArgs: ['-c', '-f', file] };
  return await startPeer(peer, signal);
}
