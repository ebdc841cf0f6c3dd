// pure · what a chaos run will do, as data: the same scenario, seed and cluster give the same bytes.
// Must never hold anything that depends on when or where it runs: no clock, no container id, no address.

/** The faults that can be injected; each has a file of its own in faults/. */
export const FAULT_KINDS = [
  'kill',
  'stop',
  'restart',
  'pause',
  'flap',
  'partition',
  'slow',
  'burn',
  'lie',
  'mute',
  'garble',
  'exit',
  'swap',
  'scale',
  'proxy-stop',
  'proxy-kill',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** One fault of a plan. Times are ms after the load has started. */
export type PlannedFault = Readonly<{
  /** Counts up from 1 in the order of `atMs`. */
  id: number;
  kind: FaultKind;
  /** Replicas as Compose numbers them, for example `server-p1-1` or `proxy-1`; for `scale` the service, `server-p1`. */
  targets: readonly string[];
  atMs: number;
  /** How long it lasts until it is healed; 0 for faults that end by themselves (restart, exit). */
  forMs: number;
  /** Numbers that the kind of fault understands, for example `{ "delayMs": 200 }`. */
  params: Readonly<Record<string, number>>;
}>;

/** How long each part of a run lasts, in ms, in this order; the load runs through all of them. */
export type PhaseLengths = Readonly<{
  /** Connections, caches and compilers get warm; judged for nothing but loss. */
  warmUpMs: number;
  /** The steady state that everything is compared with. */
  controlMs: number;
  faultsMs: number;
  /** After the last heal, for everything to come back. */
  quietMs: number;
  /** The steady state again. */
  afterMs: number;
}>;

export type Plan = Readonly<{
  version: 1;
  scenario: string;
  seed: number;
  /** Requests a second, all policies together. */
  rate: number;
  policies: readonly string[];
  serversPerPolicy: number;
  /** The clients try again for so long, in ms; 0: they take the first reply. */
  retryForMs: number;
  /** What Compose gets, for example `{ "FAULTS": "1" }`. */
  settings: Readonly<Record<string, string>>;
  phases: PhaseLengths;
  faults: readonly PlannedFault[];
}>;

/** The policies of the cluster in docker-compose.yml. */
export const POLICIES = ['1', '2', '3'] as const;

/** The service that serves a policy. */
export function serviceOf(policy: string): string {
  return `server-p${policy}`;
}

/** The policy that a replica or service serves (`server-p1-2`, `server-p1` → `1`); null for the proxy. */
export function policyOf(target: string): string | null {
  return /^server-p([^-]+)(?:-\d+)?$/.exec(target)?.[1] ?? null;
}

/** The text of `plan.json`. */
export function formatPlan(plan: Plan): string {
  return `${JSON.stringify(plan, null, 2)}\n`;
}
