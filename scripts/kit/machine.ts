// The machine and the project's version: figures without them can't be compared.
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { attempt } from './command.ts';
import { ROOT } from './project.ts';

const ASK_TIMEOUT_MS = 5_000;

/** Names and what they are, what matters most first; what can't be found out is left out. */
export async function readMachine(): Promise<Record<string, string>> {
  const git = ['-C', ROOT, 'describe', '--always', '--dirty'];
  const [commit, system, congestion, project] = await Promise.all([
    attempt('git', git, { timeoutMs: ASK_TIMEOUT_MS }).then(({ stdout }) => stdout.trim()),
    readFile('/etc/os-release', 'utf8').catch(() => ''),
    readFile('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').catch(() => ''),
    readFile(join(ROOT, 'package.json'), 'utf8').then((text) => String(JSON.parse(text).version)),
  ]);
  const all: Record<string, string | undefined> = {
    Processor: `${os.availableParallelism()} × ${os.cpus()[0]?.model ?? 'unknown'}`,
    Memory: `${(os.totalmem() / 2 ** 30).toFixed(1)} GiB`,
    Kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    System: /^PRETTY_NAME="?([^"\n]*)/m.exec(system)?.[1],
    'Congestion control': congestion.trim(),
    'policy-proxy': [project, commit].filter(Boolean).join(', commit '),
    Node: process.versions.node,
  };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => !!entry[1]));
}
