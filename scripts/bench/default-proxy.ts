// shell · the proxy of this project, started as a person would, with its defaults.
// Must never be given an option that makes it faster: what is measured is what everybody gets.
import { join } from 'node:path';
import { type RunningProcess, startProcess } from '../kit/process.ts';
import { ROOT } from '../kit/project.ts';
import { PROXY_MAIN } from '../kit/proxy-process.ts';

const START_TIMEOUT_MS = 10_000;

type Program = { command: string; args: readonly string[] };

/**
 * Starts a proxy on loopback's two ports. Resolves when it listens.
 * @param options.root  the folder of the project whose proxy it is; this one's
 * @param options.flags options that the case calls for, such as how many servers there may be
 * @param options.wrap  what the program is started by
 * @throws Failure when it does not start
 */
export function startDefaultProxy(
  port: number,
  adminPort: number,
  signal: AbortSignal,
  {
    root = ROOT,
    flags = [],
    wrap = (program) => program,
  }: { root?: string; flags?: readonly string[]; wrap?: (program: Program) => Program } = {},
): Promise<RunningProcess> {
  const ports = ['--port', String(port), '--admin-port', String(adminPort)];
  const { command, args } = wrap({
    command: process.execPath,
    args: [join(root, PROXY_MAIN), ...ports, ...flags],
  });
  return startProcess(command, args, {
    readyLine: /listening/,
    env: withoutSettings(process.env),
    signal,
    deadlineMs: START_TIMEOUT_MS,
  });
}

// Somebody's own settings of a proxy, in .env or the environment, would make it another one than the default.
function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('PROXY_')));
}
