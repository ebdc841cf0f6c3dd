// shell · what a run was done with, for the report: two runs can only be compared when these are known.
// Must never fail a run because something would not say its version.
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { attempt } from '../kit/command.ts';
import { ROOT } from '../kit/project.ts';

const ASK_TIMEOUT_MS = 5_000;

/** Names and versions; what can't be found out is left out. */
export async function readVersions(): Promise<Record<string, string>> {
  const [engine, compose, commit, project] = await Promise.all([
    ask('docker', ['version', '--format', '{{.Server.Version}}']),
    ask('docker', ['compose', 'version', '--short']),
    ask('git', ['-C', ROOT, 'describe', '--always', '--dirty']),
    readFile(join(ROOT, 'package.json'), 'utf8').then((text) => String(JSON.parse(text).version)),
  ]);
  const [cpu] = os.cpus();
  const all = {
    'policy-proxy': [project, commit].filter(Boolean).join(', commit '),
    Node: process.versions.node,
    'Docker Engine': engine,
    'Docker Compose': compose,
    kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    machine: `${os.cpus().length} × ${cpu?.model ?? 'unknown processor'}, ${Math.round(os.totalmem() / 2 ** 30)} GiB`,
  };
  return Object.fromEntries(Object.entries(all).filter(([, version]) => version !== ''));
}

async function ask(program: string, args: readonly string[]): Promise<string> {
  return (await attempt(program, args, { timeoutMs: ASK_TIMEOUT_MS })).stdout.trim();
}
