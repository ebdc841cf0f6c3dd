// shell · asks the proxy's status listener for the policy table.
import { get } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { isInRotation, type State } from '../../services/proxy/health/health.ts';
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
  /** By whose order it gets nothing new, since when (ISO 8601); null when nobody's. */
  drained: { by: string; reason: string; since: string } | null;
  lastProbe: { at: string; outcome: string; roundTripMs: number | null } | null;
  /** Real requests handed to it so far. */
  sent: number;
  served: number;
  failed: number;
  inFlight: number;
};
export type PolicyRow = {
  policy: string;
  /** Whose turn is next; null when no server gets requests. */
  nextId: string | number | null;
  servers: ServerRow[];
};
/** What `/api/policies` answers. */
export type PolicySnapshot = {
  at: string;
  policies: PolicyRow[];
  /** How many threads of the proxy serve requests; older proxies do not say. */
  workers?: number;
};

/**
 * The policy table as it is now.
 * @param adminUrl base address of the status listener, for example http://127.0.0.1:10081
 * @throws Failure when it does not answer within two seconds
 */
export async function fetchPolicies(adminUrl: string, signal?: AbortSignal): Promise<PolicySnapshot> {
  const deadline = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const both = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
  try {
    return JSON.parse(await getText(new URL('/api/policies', adminUrl), both)) as PolicySnapshot;
  } catch (cause) {
    signal?.throwIfAborted();
    const [what, next] = deadline.aborted
      ? [
          ` at ${adminUrl} gave no answer within ${ANSWER_TIMEOUT_MS / 1000} s.`,
          'Is the proxy paused? "docker compose ps" shows it, "npm start" resumes it.',
        ]
      : [
          ` does not answer at ${adminUrl}: ${(cause as Error).message}.`,
          'Is the cluster up? "npm start" starts it, "docker compose ps" shows it.',
        ];
    throw new Failure(`The proxy's status listener${what}`, next, { cause });
  }
}

// Not `fetch`: it refuses some ports, and the status port may be set to one (https://fetch.spec.whatwg.org/#port-blocking).
function getText(url: URL, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, signal }, (response) => {
      if (response.statusCode === 200) text(response).then(resolve, reject);
      else request.destroy(new Error(`status ${response.statusCode}`));
    });
    request.on('error', reject);
  });
}

/**
 * Waits until enough servers are in rotation.
 * @returns the table in which they were
 * @throws Failure when they are not after `timeoutMs`
 */
export async function waitForServers(wanted: {
  adminUrl: string;
  /** In all, or of each policy. */
  count: number | Readonly<Record<string, number>>;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** Called with their number whenever it changes. */
  onChange?: (ready: number) => void;
}): Promise<PolicySnapshot> {
  const { adminUrl, count, timeoutMs, signal, onChange } = wanted;
  const total = typeof count === 'number' ? count : Object.values(count).reduce((sum, each) => sum + each, 0);
  const deadlineMs = performance.now() + timeoutMs;
  let before = -1;
  let problem: unknown;
  while (performance.now() < deadlineMs) {
    try {
      const snapshot = await fetchPolicies(adminUrl, signal);
      const now = countInRotation(snapshot, typeof count === 'number' ? undefined : count);
      if (now >= total) return snapshot;
      if (now !== before) onChange?.(now);
      before = now;
    } catch (error) {
      signal?.throwIfAborted();
      problem = error;
    }
    await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal });
  }
  const found =
    before === -1 ? (problem as Error).message : `${before} of ${total} servers were in rotation.`;
  throw new Failure(
    `The cluster is not whole after ${timeoutMs / 1000} s. ${found}`,
    'Look at "docker compose ps" and "docker compose logs".',
    { cause: problem },
  );
}

/** The ids of all servers of the table, as texts. */
export function serverIds({ policies }: PolicySnapshot): string[] {
  return policies.flatMap(({ servers }) => servers).map(({ id }) => String(id));
}

/**
 * How many servers are in rotation, or stand by for those that are. One on trial is: where nobody sends a request there is none to decide, and it stays so.
 * @param wanted counts at most so many of each policy, and none of any other
 */
export function countInRotation(
  { policies }: PolicySnapshot,
  wanted?: Readonly<Record<string, number>>,
): number {
  return policies.reduce((sum, { policy, servers }) => {
    const count = servers.filter(({ state }) => state === 'standby' || isInRotation(state as State)).length;
    return sum + (wanted === undefined ? count : Math.min(count, wanted[policy] ?? 0));
  }, 0);
}
