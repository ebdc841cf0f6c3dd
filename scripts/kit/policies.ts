// shell · asks the proxy's status listener for the policy table. Must never wait without a deadline.
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from './failure.ts';

const ANSWER_TIMEOUT_MS = 2_000;
const POLL_MS = 100;

export type ServerRow = {
  id: string | number;
  policy: string;
  address: string;
  state: string;
  /** ISO 8601. */
  since: string;
  why: string;
  lastProbe: { at: string; outcome: string; roundTripMs: number | null } | null;
  /** Real requests handed to it so far. */
  sent: number;
  served: number;
  failed: number;
  inFlight: number;
};
export type PolicyRow = { policy: string; nextIndex: number; servers: ServerRow[] };
/** What `/api/policies` answers. */
export type PolicySnapshot = { at: string; policies: PolicyRow[] };

/**
 * The policy table as it is now.
 * @param adminUrl base address of the status listener, for example http://127.0.0.1:10080
 * @throws Failure when it does not answer within two seconds
 */
export async function fetchPolicies(adminUrl: string, signal?: AbortSignal): Promise<PolicySnapshot> {
  const deadline = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const both = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
  try {
    return JSON.parse(await getText(new URL('/api/policies', adminUrl), both)) as PolicySnapshot;
  } catch (error) {
    signal?.throwIfAborted();
    if (deadline.aborted) {
      throw new Failure(
        `The proxy's status listener at ${adminUrl} gave no answer within ${ANSWER_TIMEOUT_MS / 1000} s.`,
        'Is the proxy paused? "docker compose ps" shows it, "npm start" lets it go on.',
        { cause: error },
      );
    }
    throw new Failure(
      `The proxy's status listener does not answer at ${adminUrl}: ${(error as Error).message}.`,
      'Is the cluster up? "npm start" starts it, "docker compose ps" shows it.',
      { cause: error },
    );
  }
}

// Not `fetch`: 10080 is on the list of ports that it refuses (https://fetch.spec.whatwg.org/#port-blocking).
async function getText(url: URL, signal: AbortSignal): Promise<string> {
  const request = get(url, { agent: false, signal });
  // `once` stops listening when the signal fires, and the request tells of the same only then.
  request.on('error', () => {});
  const [response] = (await once(request, 'response', { signal })) as [IncomingMessage];
  if (response.statusCode !== 200) {
    response.resume();
    throw new Error(`status ${response.statusCode}`);
  }
  return await text(response);
}

/**
 * Waits until `count` servers are ready.
 * @returns the table in which they were
 * @throws Failure when they are not after `timeoutMs`
 */
export async function waitForServers(wanted: {
  adminUrl: string;
  count: number;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** Told how many are ready whenever that changes. */
  onChange?: (ready: number) => void;
}): Promise<PolicySnapshot> {
  const deadline = performance.now() + wanted.timeoutMs;
  let ready = -1;
  let problem: unknown;
  while (performance.now() < deadline) {
    try {
      const snapshot = await fetchPolicies(wanted.adminUrl, wanted.signal);
      const now = countReady(snapshot);
      if (now >= wanted.count) return snapshot;
      if (now !== ready) wanted.onChange?.(now);
      ready = now;
    } catch (error) {
      wanted.signal?.throwIfAborted();
      problem = error;
    }
    await sleep(POLL_MS, undefined, wanted.signal === undefined ? {} : { signal: wanted.signal });
  }
  const found = ready === -1 ? (problem as Error).message : `${ready} of ${wanted.count} servers were ready.`;
  throw new Failure(
    `The cluster is not whole after ${wanted.timeoutMs / 1000} s. ${found}`,
    'Look at "docker compose ps" and "docker compose logs".',
    { cause: problem },
  );
}

/** The ids of all servers of the table, as texts. */
export function serverIds({ policies }: PolicySnapshot): string[] {
  return policies.flatMap(({ servers }) => servers).map(({ id }) => String(id));
}

/** How many servers of the table are in rotation. */
export function countReady({ policies }: PolicySnapshot): number {
  return policies.flatMap(({ servers }) => servers).filter(({ state }) => state === 'ready').length;
}
