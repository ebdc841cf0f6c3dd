// shell · which plans a command line asks for: one of each scenario, drawn over the cluster's servers, or one that was kept.
import { readFile } from 'node:fs/promises';
import { UsageError } from '../../services/shared/config.ts';
import { readServerServices, type ServerService, STACK } from '../cluster/services.ts';
import { Random } from '../kit/random.ts';
import { runSteps } from '../kit/steps.ts';
import { FAULT_FACTS } from './faults/facts.ts';
import type { ChaosOptions } from './options.ts';
import { type PhaseLengths, type Plan, parsePlan } from './plan.ts';
import { findScenario, scenarioOf } from './scenarios/index.ts';
import { Draft, type Scenario } from './scenarios/scenario.ts';

/** With all the others the soak takes three minutes instead of ten. */
const SHORT_SOAK_MS = 180_000;

const USUAL_PHASES: PhaseLengths = {
  warmUpMs: 3_000,
  controlMs: 6_000,
  faultsMs: 20_000,
  quietMs: 4_000,
  afterMs: 2_000,
};

// A policy with one server has no other to turn to, and no fault of it could go unnoticed.
const USUAL_MIN_SERVERS = 2;

/** What a plan depends on besides its scenario. */
export type PlanWishes = {
  seed: number;
  /** Requests a second. */
  rate: number;
  /** Service → the policy that its servers serve. */
  services: Plan['services'];
  serversPerPolicy: number;
  /** Length of the fault phase; null: the scenario's own. */
  faultsMs: number | null;
  /** Only servers of this policy are hit; null: any. */
  onlyPolicy: string | null;
};

/** Makes the plan of one run. The same arguments always give the same plan, byte for byte. */
export function makePlan(scenario: Scenario, wishes: PlanWishes): Plan {
  const { seed, rate, services, faultsMs, onlyPolicy } = wishes;
  const usual = { ...USUAL_PHASES, ...scenario.phases };
  // A scenario without faults is as long as its control phase.
  const length = usual.faultsMs > 0 ? 'faultsMs' : 'controlMs';
  const phases = { ...usual, [length]: faultsMs ?? usual[length] };
  const serversPerPolicy = Math.max(wishes.serversPerPolicy, scenario.minServers ?? USUAL_MIN_SERVERS);
  const random = new Random(seed);
  const draft = new Draft({ random, services, serversPerPolicy, onlyPolicy, lengthMs: phases.faultsMs });
  scenario.draft(draft);
  const faults = draft.faults(phases.warmUpMs + phases.controlMs);
  const needsControl = faults.some(({ kind }) => FAULT_FACTS[kind].needsControl);
  return {
    version: 1,
    scenario: scenario.name,
    seed,
    rate,
    policies: [...new Set(Object.values(services))],
    services,
    serversPerPolicy,
    proxies: scenario.proxies ?? 1,
    retryForMs: scenario.retryForMs ?? 0,
    settings: { ...(needsControl && { FAULTS: '1' }), ...scenario.settings },
    phases,
    faults,
  };
}

/**
 * The cluster's services of servers. Where Docker is missing and a run is wanted, it is set up first.
 * @throws Failure when Compose does not list them
 */
export async function readCluster(
  { engine, isPlanOnly, isJson }: ChaosOptions,
  signal: AbortSignal,
): Promise<ServerService[]> {
  const file = engine === 'swarm' ? STACK : {};
  try {
    return await readServerServices(file, signal);
  } catch (error) {
    if (isPlanOnly || signal.aborted) throw error;
    const { ENGINE } = await import('../cluster/preparation.ts');
    await runSteps(signal, [ENGINE], { isOnStderr: isJson });
    return await readServerServices(file, signal);
  }
}

/**
 * The plans, in the order in which they are to be run.
 * @param cluster the cluster's services of servers
 * @throws UsageError when a plan.json is not one, or the cluster has not what a plan needs
 */
export async function plansOf(options: ChaosOptions, cluster: readonly ServerService[]): Promise<Plan[]> {
  const services = Object.fromEntries(cluster.map(({ name, policy }) => [name, policy]));
  if (options.replayFile !== null) return [requireServices(await readPlan(options.replayFile), services)];
  const { scenarios, seed, rate, durationSeconds, onlyPolicy, isAll } = options;
  const policies = [...new Set(Object.values(services))];
  if (onlyPolicy !== null && !policies.includes(onlyPolicy)) {
    throw new UsageError(`--policy is "${onlyPolicy}": the cluster has the policies ${policies.join(', ')}.`);
  }
  const serversPerPolicy = Math.max(...cluster.map(({ replicas }) => replicas));
  const plans = scenarios.map((name) => {
    const ownMs = durationSeconds === null ? null : durationSeconds * 1000;
    const faultsMs = isAll && name === 'soak' ? SHORT_SOAK_MS : ownMs;
    const wishes = { seed, rate, services, serversPerPolicy, faultsMs, onlyPolicy };
    const plan = makePlan(scenarioOf({ scenario: name }), wishes);
    if (plan.faults.length > 0 || plan.phases.faultsMs === 0) return plan;
    throw new UsageError(`${name} has no fault within ${durationSeconds} s: give it a longer --duration.`);
  });
  // Each change of the settings sets the cluster up anew, so those with the same ones come one after the other.
  const orderOf = ({ proxies, settings, serversPerPolicy: servers }: Plan): number =>
    proxies * 10_000 + Object.keys(settings).length * 1_000 + servers;
  return plans.sort((a, b) => orderOf(a) - orderOf(b));
}

/**
 * @param file path of a plan.json
 * @throws UsageError that names the field
 */
export async function readPlan(file: string): Promise<Plan> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${file} can't be read (${error.code}): give the path of a plan.json of a report.`);
  });
  try {
    const plan = parsePlan(text);
    if (findScenario(plan.scenario) !== undefined) return plan;
    throw new Error(`is not a plan: there is no scenario ${plan.scenario}`);
  } catch (error) {
    throw new UsageError(`${file} ${(error as Error).message}.`);
  }
}

function requireServices(plan: Plan, services: Plan['services']): Plan {
  for (const [service, policy] of Object.entries(plan.services)) {
    if (services[service] === policy) continue;
    throw new UsageError(
      `The plan is for a cluster with the service ${service} for policy ${policy}: this one has not got it.`,
    );
  }
  return plan;
}
