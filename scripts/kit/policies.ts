// shell · asks the proxy's status listener for the policy table.
import { isInRotation, type State } from '../../services/proxy/health/health.ts';
import type { Snapshot } from '../../services/proxy/status/snapshot.ts';
import { Failure } from './failure.ts';
import { askHttp } from './http.ts';
import type { Progress } from './steps.ts';
import { until } from './time.ts';

const ANSWER_TIMEOUT_MS = 2_000;
const POLL_MS = 100;
const WHOLE_WITHIN_MS = 30_000;

type Route = Snapshot['policies'][number];
/** Servers in all, or of each policy. */
type Count = number | Readonly<Record<string, number>>;
/** `state` may be one that only another version of the proxy has. */
export type ServerRow = Omit<Route['servers'][number], 'state'> & { state: string };
export type PolicyRow = Pick<Route, 'policy' | 'nextId'> & { servers: ServerRow[] };
/** What is used of the answer of `/api/policies`; `workers`, the threads that serve requests, an older proxy does not say. */
export type PolicySnapshot = Pick<Snapshot, 'at'> & { policies: PolicyRow[]; workers?: number };

/**
 * The policy table as it is now.
 * @param adminUrl base address of the status listener, for example http://127.0.0.1:10081
 * @throws Failure when it does not answer within two seconds
 */
export async function fetchPolicies(adminUrl: string, signal?: AbortSignal): Promise<PolicySnapshot> {
  const deadline = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const both = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
  try {
    const { status, answer } = await askHttp(new URL('/api/policies', adminUrl), { signal: both });
    if (status !== 200) throw new Error(`status ${status}`);
    return JSON.parse(answer) as PolicySnapshot;
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

/**
 * Whether the proxy says that it is ready.
 * @param adminUrl base address of the status listener
 * @throws when it does not answer within two seconds
 */
export async function fetchReadiness(adminUrl: string, signal: AbortSignal): Promise<boolean> {
  const both = AbortSignal.any([AbortSignal.timeout(ANSWER_TIMEOUT_MS), signal]);
  return (await askHttp(new URL('/readyz', adminUrl), { signal: both })).status === 200;
}

/**
 * Waits until enough servers are in rotation.
 * @returns the table in which they were
 * @throws Failure when they are not after `timeoutMs`
 */
export async function waitForServers(wanted: {
  adminUrl: string;
  count: Count;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** Called with their number whenever it changes. */
  onChange?: (ready: number) => void;
}): Promise<PolicySnapshot> {
  const { adminUrl, count, timeoutMs, signal, onChange } = wanted;
  const total = totalOf(count);
  let before = -1;
  let problem: unknown;
  const look = async (): Promise<PolicySnapshot | null> => {
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
    return null;
  };
  const whole = await until(look, { withinMs: timeoutMs, everyMs: POLL_MS, signal });
  if (whole !== null) return whole;
  const found =
    before === -1 ? (problem as Error).message : `${before} of ${total} servers were in rotation.`;
  throw new Failure(
    `The cluster is not whole after ${timeoutMs / 1000} s. ${found}`,
    'Look at "docker compose ps" and "docker compose logs".',
    { cause: problem },
  );
}

/**
 * Waits until every proxy has enough servers in rotation: each has a table of its own.
 * @returns that they are ready, in words
 * @throws Failure when a proxy does not have them in time
 */
export async function waitUntilWhole(
  proxies: readonly { name: string; adminUrl: string }[],
  count: Count,
  { phase, signal }: Progress,
  timeoutMs = WHOLE_WITHIN_MS,
): Promise<string> {
  const total = totalOf(count);
  const isOne = proxies.length === 1;
  for (const { name, adminUrl } of proxies) {
    const where = isOne ? '' : ` for ${name}`;
    const onChange = (ready: number): void => phase(`${ready} of ${total} are ready${where}`);
    await waitForServers({ adminUrl, count, timeoutMs, signal, onChange });
  }
  return `${total} servers are ready${isOne ? '' : ` for each of ${proxies.length} proxies`}`;
}

function totalOf(count: Count): number {
  return typeof count === 'number' ? count : Object.values(count).reduce((sum, each) => sum + each, 0);
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
