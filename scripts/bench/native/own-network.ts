// shell · lets a script go on in a network of its own, with nothing in it but loopback (own-network.c says why).
// Must never hide that there is none: figures with a connection per request are others then.
import { spawn } from 'node:child_process';
import { attempt } from '../../bootstrap/command.ts';
import type { NativePrograms } from './compile.ts';

const MARK = 'POLICY_PROXY_BENCH_NETWORK';
const TRIAL_TIMEOUT_MS = 10_000;

/** Whether this process runs in such a network. */
export function hasOwnNetwork(): boolean {
  return process.env[MARK] === 'own';
}

/**
 * Runs this very script again, with its arguments, in a network of its own, and waits for its end. What needs the
 * internet has to be done before.
 * @returns its exit code; null when the system does not let us have such a network, or this process is in one already
 */
export async function goOnInOwnNetwork(
  { ownNetwork }: NativePrograms,
  signal: AbortSignal,
): Promise<number | null> {
  if (hasOwnNetwork()) return null;
  const trial = await attempt(ownNetwork, ['true'], { signal, timeoutMs: TRIAL_TIMEOUT_MS });
  if (!trial.isOk) return null;
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn(ownNetwork, command, { stdio: 'inherit', env: { ...process.env, [MARK]: 'own' } });
  const onAbort = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', onAbort, { once: true });
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      signal.removeEventListener('abort', onAbort);
      resolve(code ?? 1);
    });
  });
}
