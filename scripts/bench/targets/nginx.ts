// shell · nginx's stream module, with njs reading the policy. Its configuration is peers/nginx.conf and peers/policy.js.
// Must never run it in the background: it is to end when the benchmark ends.
import { join } from 'node:path';
import { freePorts } from '../../kit/ports.ts';
import { PEERS_FOLDER, writeConfiguration } from './configuration.ts';
import { startPeer } from './peer.ts';
import type { RunningTarget, TargetContext } from './target.ts';
import { serverValues } from './template.ts';

/** @throws Failure when it does not start */
export async function startNginx({ servers, peers, folder, signal }: TargetContext): Promise<RunningTarget> {
  const program = peers.nginx;
  if (program === null) throw new Error('nginx has not been prepared.');
  const [port] = (await freePorts(1)) as [number];
  const places = { modules: program.modules, script: join(PEERS_FOLDER, 'policy.js'), folder };
  const values = { port, ...places, ...serverValues(servers) };
  const file = await writeConfiguration(folder, 'nginx.conf', 'nginx.conf', values);
  // The log file that is compiled in may not be writable, and is opened before the configuration is read.
  const args = ['-e', 'stderr', '-p', folder, '-c', file];
  return await startPeer({ target: 'nginx', port, program, args, checkArgs: [...args, '-t'] }, signal);
}
