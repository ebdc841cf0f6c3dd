// pure · what a chaos run will do, as data: the same scenario, seed and cluster give the same bytes.
import { z } from 'zod';
import { FAULT_FACTS, FAULT_KINDS, type FaultFacts } from './faults/facts.ts';

export type { FaultKind } from './faults/facts.ts';

/** The service of the proxies. */
const PROXY = 'proxy';
const MAX_REPLICAS = 20;
const MAX_RUN_MS = 86_400_000;
/** Docker takes some 30 ms to pause and to resume. */
const MIN_FLAP_MS = 200;

const ms = z.number().int().min(0).max(MAX_RUN_MS);
const name = z.string().regex(/^[\w.-]{1,60}$/);
// As the load generator takes them: with commas between.
const policy = z.string().regex(/^[^,\s]{1,60}$/);

/** One fault of a plan. Times are ms after the load has started. */
const FAULT = z
  .strictObject({
    /** Counts up from 1 in the order of `atMs`. */
    id: z.number().int().min(1),
    kind: z.enum(FAULT_KINDS),
    /** Replicas as Compose numbers them, for example `server-p1-1` or `proxy-1`; for `scale` the service, `server-p1` or `proxy`. */
    targets: z.array(name).min(1).readonly(),
    atMs: ms,
    /** How long it lasts until it is healed; 0 for faults that end by themselves. */
    forMs: ms,
    /** Numbers that the kind of fault understands, for example `{ "delayMs": 200 }`. */
    params: z.record(z.string(), z.number().min(0).max(60_000)).readonly(),
  })
  .readonly();

/** How long each part of a run lasts, in ms, in this order; the load runs through all of them. */
const PHASES = z
  .strictObject({
    /** Connections, caches and compilers get warm; judged for nothing but loss. */
    warmUpMs: ms,
    /** The steady state that everything is compared with. */
    controlMs: ms,
    faultsMs: ms,
    /** After the last heal, for everything to come back. */
    quietMs: ms,
    /** The steady state again. */
    afterMs: ms,
  })
  .readonly();

const PLAN = z
  .strictObject({
    version: z.literal(1),
    scenario: z.string(),
    seed: z.number().int().min(0),
    /** Requests a second, all policies together. */
    rate: z.number().min(1).max(5_000),
    policies: z.array(policy).min(1).readonly(),
    /** Service → the policy that its servers serve. */
    services: z.record(name, policy).readonly(),
    /** How many replicas each service has. */
    serversPerPolicy: z.number().int().min(1).max(100),
    proxies: z.number().int().min(1).max(9).default(1),
    /** The clients try again for so long, in ms; 0: they take the first reply. */
    retryForMs: ms,
    /** What Compose gets, for example `{ "FAULTS": "1" }`. */
    settings: z.partialRecord(z.enum(['FAULTS', 'PROXY_VERIFY_ANSWERS']), z.enum(['0', '1'])).readonly(),
    phases: PHASES,
    faults: z.array(FAULT).readonly(),
  })
  .readonly();

export type PlannedFault = z.infer<typeof FAULT>;
export type PhaseLengths = z.infer<typeof PHASES>;
export type Plan = z.infer<typeof PLAN>;

/** The text of `plan.json`. */
export function formatPlan(plan: Plan): string {
  return `${JSON.stringify(plan, null, 2)}\n`;
}

/**
 * A plan from the text of a `plan.json`, checked in every field.
 * @throws Error with what is wrong with it: `is not a plan: faults.0.atMs: …`
 */
export function parsePlan(text: string): Plan {
  const parsed = PLAN.safeParse(withServices(parseJson(text)));
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0] as z.core.$ZodIssue;
    throw new Error(`is not a plan: ${path.join('.') || 'the document'}: ${message}`);
  }
  const problem = whyImpossible(parsed.data);
  if (problem === null) return parsed.data;
  throw new Error(`can't be carried out: ${problem}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('is not JSON');
  }
}

// Plans of earlier versions name no services: those of docker-compose.yml are meant.
function withServices(document: unknown): unknown {
  const { policies, services } = (document ?? {}) as { policies?: unknown; services?: unknown };
  if (services !== undefined || !Array.isArray(policies)) return document;
  const entries = policies.map((each) => [`server-p${each}`, each]);
  return { ...(document as object), services: Object.fromEntries(entries) };
}

/** How long a run takes, in ms. */
export function lengthOf({ phases }: Pick<Plan, 'phases'>): number {
  return phases.warmUpMs + phases.controlMs + phases.faultsMs + phases.quietMs + phases.afterMs;
}

/** The service of a replica (`server-p1-2` → `server-p1`). */
export function serviceOf(replica: string): string {
  return replica.replace(/-\d+$/, '');
}

/** The policy that a replica or service serves; null for what is no server. */
export function policyOf({ services }: Pick<Plan, 'services'>, target: string): string | null {
  return services[target] ?? services[serviceOf(target)] ?? null;
}

/** Whether a fault is one of proxies. */
export function isOnProxies({ targets }: Pick<PlannedFault, 'targets'>): boolean {
  return targets.every((target) => serviceOf(target) === PROXY);
}

/** The first reason why a plan can't be carried out; null when it can. Plans that are made here always can. */
function whyImpossible(plan: Plan): string | null {
  const ofServices = new Set(Object.values(plan.services));
  if (plan.policies.length !== ofServices.size || !plan.policies.every((each) => ofServices.has(each)))
    return 'its policies are not those of its services';
  if (new Set(plan.faults.map(({ id }) => id)).size < plan.faults.length)
    return 'two faults have the same id';
  for (const fault of plan.faults) {
    const problem = outsideOf(plan, fault) ?? misaimed(plan, fault) ?? beyondParams(fault);
    if (problem !== null) return `fault ${fault.id} (${fault.kind}) ${problem}`;
  }
  return overlapOf(plan.faults);
}

function outsideOf({ phases }: Plan, { atMs, forMs }: PlannedFault): string | null {
  const fromMs = phases.warmUpMs + phases.controlMs;
  const isInside = atMs >= fromMs && atMs + forMs <= fromMs + phases.faultsMs;
  return isInside ? null : `lies outside the part with faults, ${fromMs} to ${fromMs + phases.faultsMs} ms`;
}

type Aim = { what: string; count?: number; isTarget(plan: Plan, target: string): boolean };

const isServer = ({ services }: Plan, target: string): boolean =>
  /-\d{1,3}$/.test(target) && services[serviceOf(target)] !== undefined;

function isUpTo(count: number, replica: string): boolean {
  const number = Number(/-(\d+)$/.exec(replica)?.[1]);
  return number >= 1 && number <= count;
}

const AIMS: Readonly<Record<NonNullable<FaultFacts['takes']> | 'servers', Aim>> = {
  servers: { what: 'servers', isTarget: isServer },
  'two servers': { what: 'two servers of different policies', count: 2, isTarget: isServer },
  service: {
    what: 'one service',
    count: 1,
    isTarget: ({ services, proxies }, target) => target in services || (target === PROXY && proxies > 1),
  },
  proxy: {
    what: 'a proxy',
    count: 1,
    isTarget: ({ proxies }, target) => serviceOf(target) === PROXY && isUpTo(proxies, target),
  },
  // The first one is the manager: without it nothing could be healed.
  node: { what: 'a worker node', count: 1, isTarget: (_, target) => /^node-[2-9]$/.test(target) },
};

function misaimed(plan: Plan, { kind, targets }: PlannedFault): string | null {
  const { what, count = targets.length, isTarget } = AIMS[FAULT_FACTS[kind].takes ?? 'servers'];
  const isRight = targets.length === count && targets.every((target) => isTarget(plan, target));
  const policies = new Set(targets.map((target) => policyOf(plan, target)));
  if (isRight && (kind !== 'swap' || policies.size === 2)) return null;
  return `takes ${what}, not ${targets.join(' and ')}`;
}

function beyondParams({ kind, params }: PlannedFault): string | null {
  const { replicas = 0, probability = 1, everyMs = 1_000 } = params;
  if (kind === 'scale' && !(Number.isInteger(replicas) && replicas >= 1 && replicas <= MAX_REPLICAS)) {
    return `needs params.replicas from 1 to ${MAX_REPLICAS}`;
  }
  if (probability > 1) return 'needs a params.probability from 0 to 1';
  return everyMs >= MIN_FLAP_MS ? null : `needs a params.everyMs of at least ${MIN_FLAP_MS}`;
}

// A service that is scaled holds all of its replicas: Compose starts those that a fault has ended.
function overlapOf(faults: readonly PlannedFault[]): string | null {
  const inOrder = faults.toSorted((a, b) => a.atMs - b.atMs);
  for (const [index, first] of inOrder.entries()) {
    for (const second of inOrder.slice(index + 1)) {
      if (second.atMs >= first.atMs + first.forMs) continue;
      const held = first.targets.find((a) => second.targets.some((b) => isSameOrPart(a, b)));
      if (held !== undefined)
        return `faults ${first.id} (${first.kind}) and ${second.id} (${second.kind}) hold ${held} at the same time`;
    }
  }
  return null;
}

function isSameOrPart(a: string, b: string): boolean {
  return a === b || serviceOf(a) === b || serviceOf(b) === a;
}
