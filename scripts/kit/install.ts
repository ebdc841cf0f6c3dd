// Installs Debian packages that a command needs and the machine has not, where root runs the command.
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { attempt } from './command.ts';
import { Failure } from './failure.ts';
import { installPackages, isSupportedDebian, readOsRelease } from './packages.ts';
import type { Progress } from './steps.ts';
import { until } from './time.ts';

const RETRY_MS = 200;
const STOP_TIMEOUT_MS = 30_000;

/**
 * Makes sure that the machine has something.
 * @param what     for the failure: `HAProxy`, `a C compiler`
 * @param packages Debian's packages that bring it
 * @param isThere  asks whether the machine has it
 * @returns whether anything was installed
 * @throws Failure, with exit code 2 and what to install where this is no Debian or not root
 */
export async function requireInstalled(
  what: string,
  packages: readonly string[],
  isThere: () => Promise<boolean>,
  progress: Progress,
): Promise<boolean> {
  if (await isThere()) return false;
  const how = `apt-get install ${packages.join(' ')}`;
  const isRoot = process.getuid?.() === 0;
  if (!isRoot || !isSupportedDebian(await readOsRelease())) {
    const next = `Install it (on Debian: ${how}), then run the command again.`;
    throw new Failure(`This needs ${what}, which is not installed.`, next, { exitCode: 2 });
  }
  await oneAtATime('packages', progress.signal, async () => {
    if (await isThere()) return;
    await installPackages(packages, progress, { isFromOwnSuite: true });
    // Debian starts a server that is installed, nginx on port 80.
    for (const name of packages)
      await attempt('systemctl', ['disable', '--now', name], { timeoutMs: STOP_TIMEOUT_MS });
  });
  if (await isThere()) return true;
  throw new Failure(`${what} was installed (${how}), and does not work.`, 'Check the installation by hand.');
}

/**
 * Does `work` while no other process of this machine does work of this name, and waits until it can. The lock is an
 * abstract socket (unix(7)): it goes when its process ends, however that ends.
 * @throws the signal's reason when the signal fires before it can begin; what `work` throws
 */
export async function oneAtATime<T>(name: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const lock = await until(() => tryLock(name), { withinMs: Infinity, everyMs: RETRY_MS, signal });
  try {
    return await work();
  } finally {
    lock?.close();
  }
}

async function tryLock(name: string): Promise<Server | null> {
  const server = createServer();
  try {
    server.listen({ path: `\0policy-proxy-${name}` });
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw error;
  }
}
