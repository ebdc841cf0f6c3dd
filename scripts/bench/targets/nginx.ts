// shell · nginx's stream module, with njs reading the policy. Its configuration is peers/nginx.conf and peers/policy.js.
// Must never run it in the background: it is to end when the benchmark ends.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../ports.ts';
import { startPeer } from './peer.ts';
import type { RunningTarget, TargetContext } from './target.ts';
import { fillTemplate, serverValues } from './template.ts';

const PEERS = join(import.meta.dirname, '..', 'peers');

/** @throws Failure when it does not start */
export async function startNginx({ servers, peers, folder, signal }: TargetContext): Promise<RunningTarget> {
  const program = peers.nginx;
  if (program === null) throw new Error('nginx has not been prepared.');
  const [port] = (await freePorts(1)) as [number];
  const template = await readFile(join(PEERS, 'nginx.conf'), 'utf8');
  const file = join(folder, 'nginx.conf');
  const places = { modules: program.modules, script: join(PEERS, 'policy.js'), folder };
  await writeFile(file, fillTemplate(template, { port, ...places, ...serverValues(servers) }));
  // The log file that is compiled in may not be writable, and is opened before the configuration is read.
  const args = ['-e', 'stderr', '-p', folder, '-c', file];
  return await startPeer({ target: 'nginx', port, program, args, checkArgs: [...args, '-t'] }, signal);
}
