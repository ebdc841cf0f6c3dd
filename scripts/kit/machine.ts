// shell · the machine and the versions that figures were measured with: without them they can't be compared.
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { attempt } from './command.ts';
import { ROOT } from './project.ts';

const GIT_WITHIN_MS = 5_000;

/** By name, such as `Processor` or `Node`; what can't be found out is left out. */
export async function readMachine(): Promise<Record<string, string>> {
  const [git, system, packageFile] = await Promise.all([
    attempt('git', ['-C', ROOT, 'describe', '--always', '--dirty'], { timeoutMs: GIT_WITHIN_MS }),
    readFile('/etc/os-release', 'utf8').catch(() => ''),
    readFile(join(ROOT, 'package.json'), 'utf8'),
  ]);
  const commit = git.stdout.trim();
  const [, systemName] = /^PRETTY_NAME="?([^"\n]*)/m.exec(system) ?? [];
  return {
    Processor: `${os.availableParallelism()} × ${os.cpus()[0]?.model ?? 'unknown'}`,
    Memory: `${(os.totalmem() / 2 ** 30).toFixed(1)} GiB`,
    Kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    ...(systemName !== undefined && { System: systemName }),
    'policy-proxy': [JSON.parse(packageFile).version, commit].filter(Boolean).join(', commit '),
    Node: process.versions.node,
  };
}
