// shell · this project's proxy among the targets, as it is or as it was.
// Must never be measured before its servers are in rotation.
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../../kit/failure.ts';
import { freePorts } from '../../kit/ports.ts';
import { startDefaultProxy } from '../default-proxy.ts';
import type { RunningTarget } from './target.ts';

const READY_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 50;

export type RunningProxy = RunningTarget & {
  /** Waits until so many servers are in rotation; throws a Failure when they are not within ten seconds. */
  waitForServers(count: number): Promise<void>;
};

/**
 * @param root the folder of the project whose proxy it is
 * @throws Failure when it does not start
 */
export async function startPolicyProxy(
  name: 'policy-proxy' | 'baseline',
  root: string,
  signal: AbortSignal,
): Promise<RunningProxy> {
  const [port, adminPort] = (await freePorts(2)) as [number, number];
  const running = await startDefaultProxy(port, adminPort, signal, { root });
  return {
    name,
    port,
    pid: running.pid,
    stop: () => running.stop(),
    waitForServers: (count) => waitForServers(adminPort, count, signal),
  };
}

async function waitForServers(adminPort: number, count: number, signal: AbortSignal): Promise<void> {
  const untilMs = performance.now() + READY_TIMEOUT_MS;
  for (let ready = 0; ; ready = await countReady(adminPort)) {
    if (ready >= count) return;
    signal.throwIfAborted();
    if (performance.now() > untilMs) {
      throw new Failure(
        `Only ${ready} of ${count} servers came into rotation within ${READY_TIMEOUT_MS / 1000} s.`,
        'Is the machine very busy? Run the command again.',
      );
    }
    await sleep(LOOK_EVERY_MS);
  }
}

type Table = { policies: { servers: { state: string }[] }[] };

async function countReady(adminPort: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/api/policies`, {
    signal: AbortSignal.timeout(READY_TIMEOUT_MS),
  });
  const { policies } = (await response.json()) as Table;
  return policies.flatMap(({ servers }) => servers).filter(({ state }) => state === 'ready').length;
}
