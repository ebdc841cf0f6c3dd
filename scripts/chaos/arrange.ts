// shell · the cluster before and after: brought up as a plan wants it, and put back as it was found.
// Must never change a cluster before it is written down what it was like.
import { bringUp, takeDown } from '../cluster/cluster.ts';
import { Failure } from '../kit/failure.ts';
import { waitForServers } from '../kit/policies.ts';
import type { Outcome, Progress } from '../kit/progress.ts';
import type { ChaosCluster, Replica } from './docker.ts';
import { JUDGED_SETTINGS } from './judge/limits.ts';
import { type Plan, POLICIES, serviceOf } from './plan.ts';
import type { FoundCluster } from './undo.ts';

const WHOLE_WITHIN_MS = 30_000;
/** What a plan may set, and the variable that it becomes in a container. */
const SETTINGS = { FAULTS: 'SERVER_FAULTS', PROXY_VERIFY_ANSWERS: 'PROXY_VERIFY_ANSWERS' } as const;
/** Where the proxy's ports are published, as docker-compose.yml has them. */
const PORTS = { PROXY_PUBLISH_PORT: '10000/tcp', PROXY_PUBLISH_ADMIN_PORT: '10080/tcp' } as const;

/** What Compose gets for a plan, on top of the environment. */
export function composeSettings(plan: Plan, found: FoundCluster | null): Record<string, string> {
  return {
    ...found?.settings,
    ...JUDGED_SETTINGS,
    ...plan.settings,
    SERVERS_PER_POLICY: String(plan.serversPerPolicy),
  };
}

/** What the cluster is like; null when it is not up. */
export async function lookAround(cluster: ChaosCluster): Promise<FoundCluster | null> {
  const replicas = await cluster.replicas();
  if (replicas.length === 0) return null;
  const services: Record<string, number> = {};
  for (const { service } of replicas) services[service] = (services[service] ?? 0) + 1;
  return {
    services,
    states: Object.fromEntries(replicas.map(({ name, state }) => [name, state])),
    settings: await readSettings(cluster, replicas),
  };
}

async function readSettings(
  cluster: ChaosCluster,
  replicas: readonly Replica[],
): Promise<Record<string, string>> {
  const settings: Record<string, string> = {};
  for (const replica of replicas) {
    const { Config, HostConfig } = await cluster.inspect(replica);
    const bindings = HostConfig.PortBindings as Record<string, { HostPort?: string }[] | undefined> | null;
    for (const [name, port] of Object.entries(PORTS)) {
      const published = bindings?.[port]?.[0]?.HostPort;
      if (published) settings[name] = published;
    }
    for (const [name, variable] of Object.entries(SETTINGS)) {
      const entry = Config.Env.find((text) => text.startsWith(`${variable}=`));
      if (entry !== undefined) settings[name] = entry.slice(variable.length + 1);
    }
  }
  return settings;
}

/**
 * Brings the cluster up as `plan` wants it; containers that are right already are left alone.
 * @throws Failure when it does not become whole
 */
export async function arrange(
  plan: Plan,
  found: FoundCluster | null,
  adminUrl: string,
  progress: Progress,
): Promise<Outcome> {
  const env = composeSettings(plan, found);
  const scale = Object.fromEntries(plan.policies.map((policy) => [serviceOf(policy), plan.serversPerPolicy]));
  await bringUp({ env, scale }, progress);
  const count = plan.policies.length * plan.serversPerPolicy;
  const { signal } = progress;
  await waitForServers({ adminUrl, count, timeoutMs: WHOLE_WITHIN_MS, signal });
  return { isSkipped: false, summary: `${count} servers in rotation` };
}

/**
 * Puts the cluster back: gone when it was not there, else with its old settings, numbers and states.
 * @throws Failure with Compose's last lines
 */
export async function putBack(
  cluster: ChaosCluster,
  found: FoundCluster | null,
  progress: Progress,
): Promise<Outcome> {
  if (found === null) {
    const down = await takeDown({}, progress);
    const left = await cluster.replicas();
    if (left.length === 0) return down;
    throw new Failure(`${left.length} containers are left.`, 'Take the cluster down with "npm stop".');
  }
  const outcome = await bringUp({ env: found.settings, scale: serverNumbers(found) }, progress);
  const replicas = await cluster.replicas();
  await Promise.all(replicas.map((replica) => putBackState(cluster, replica, found.states[replica.name])));
  return outcome;
}

async function putBackState(
  cluster: ChaosCluster,
  replica: Replica,
  state: string | undefined,
): Promise<void> {
  if (state === 'paused') await cluster.pause(replica);
  else if (state === 'exited' || state === 'created') await cluster.stop(replica, 10);
}

// Policies that had no server get none.
function serverNumbers({ services }: FoundCluster): Record<string, number> {
  return Object.fromEntries(POLICIES.map(serviceOf).map((service) => [service, services[service] ?? 0]));
}
