// shell · the machine and the versions of everything that takes part: figures without them can't be compared.
// Must never fail a benchmark because something would not say its version.
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { attempt } from '../kit/command.ts';
import { versionIn } from '../kit/program-places.ts';
import { ROOT } from '../kit/project.ts';
import type { Baseline } from './baseline.ts';
import type { PeerPrograms } from './peer-programs.ts';

const ASK_TIMEOUT_MS = 5_000;

/**
 * Names and versions, what matters most first; what takes no part or can't be found out is left out.
 * @param network which network it was measured in, in words
 */
export async function readMachine(
  { peers = null, baseline = null }: { peers?: PeerPrograms | null; baseline?: Baseline | null } = {},
  network?: string,
): Promise<Record<string, string>> {
  const [commit, gcc, system, congestion, project] = await Promise.all([
    ask('git', ['-C', ROOT, 'describe', '--always', '--dirty']),
    ask('gcc', ['--version']),
    readFile('/etc/os-release', 'utf8').catch(() => ''),
    readFile('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').catch(() => ''),
    readFile(join(ROOT, 'package.json'), 'utf8').then((text) => String(JSON.parse(text).version)),
  ]);
  const [cpu] = os.cpus();
  const all: Record<string, string | undefined> = {
    Processor: `${os.availableParallelism()} × ${cpu?.model ?? 'unknown'}`,
    Memory: `${(os.totalmem() / 2 ** 30).toFixed(1)} GiB`,
    Kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    System: /^PRETTY_NAME="?([^"\n]*)/m.exec(system)?.[1],
    Network: network,
    'Congestion control': congestion.trim(),
    'policy-proxy': [project, commit].filter(Boolean).join(', commit '),
    baseline: baseline?.version,
    Node: process.versions.node,
    HAProxy: peers?.haproxy?.version,
    nginx: peers?.nginx?.version,
    njs: peers?.nginx?.njsVersion,
    Python: peers?.python?.version,
    gcc: gcc === '' ? undefined : versionIn(gcc),
  };
  const known = Object.entries(all).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return Object.fromEntries(known);
}

async function ask(program: string, args: readonly string[]): Promise<string> {
  return (await attempt(program, args, { timeoutMs: ASK_TIMEOUT_MS })).stdout.trim();
}
