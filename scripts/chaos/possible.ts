// pure · whether a plan from somebody's hand can be carried out at all. Plans that are made here always can.
// Must never let two faults hold one replica at once, or one begin when nobody watches any more.
import { type FaultKind, type Plan, type PlannedFault, policyOf } from './plan.ts';

const MAX_REPLICAS = 20;
/** Docker takes some 30 ms to pause and to let go on. */
const MIN_FLAP_MS = 200;

/** The first reason why it can't be; null when it can. */
export function whyImpossible(plan: Plan): string | null {
  const ids = new Set(plan.faults.map(({ id }) => id));
  if (ids.size < plan.faults.length) return 'two faults have the same id';
  for (const fault of plan.faults) {
    const problem = outsideOf(plan, fault) ?? misaimed(fault) ?? beyondParams(fault);
    if (problem !== null) return `fault ${fault.id} (${fault.kind}) ${problem}`;
  }
  return overlapOf(plan.faults);
}

function outsideOf({ phases }: Plan, { atMs, forMs }: PlannedFault): string | null {
  const fromMs = phases.warmUpMs + phases.controlMs;
  const isInside = atMs >= fromMs && atMs + forMs <= fromMs + phases.faultsMs;
  return isInside ? null : `lies outside the part with faults, ${fromMs} to ${fromMs + phases.faultsMs} ms`;
}

function misaimed({ kind, targets }: PlannedFault): string | null {
  const wanted = aimOf(kind);
  if (!targets.every((target) => wanted.isTarget(target))) return `takes ${wanted.what}`;
  return wanted.count === undefined || targets.length === wanted.count ? null : `takes ${wanted.what}`;
}

type Aim = { what: string; count?: number; isTarget: (target: string) => boolean };

function aimOf(kind: FaultKind): Aim {
  const isServer = (target: string): boolean => policyOf(target) !== null && /-\d+$/.test(target);
  switch (kind) {
    case 'proxy-stop':
    case 'proxy-kill':
      return { what: 'the proxy', count: 1, isTarget: (target) => target === 'proxy-1' };
    case 'scale':
      return { what: 'one service', count: 1, isTarget: (target) => /^server-p\d+$/.test(target) };
    case 'swap':
      return { what: 'two servers', count: 2, isTarget: isServer };
    default:
      return { what: 'servers', isTarget: isServer };
  }
}

function beyondParams({ kind, params }: PlannedFault): string | null {
  const { replicas = 0, probability = 1, everyMs = 1_000 } = params;
  if (kind === 'scale' && !(Number.isInteger(replicas) && replicas >= 1 && replicas <= MAX_REPLICAS)) {
    return `needs params.replicas from 1 to ${MAX_REPLICAS}`;
  }
  if (probability > 1) return 'needs a params.probability from 0 to 1';
  return everyMs >= MIN_FLAP_MS ? null : `needs a params.everyMs of at least ${MIN_FLAP_MS}`;
}

function overlapOf(faults: readonly PlannedFault[]): string | null {
  const inOrder = faults.toSorted((a, b) => a.atMs - b.atMs);
  for (const [index, fault] of inOrder.entries()) {
    const endMs = fault.atMs + fault.forMs;
    const second = inOrder
      .slice(index + 1)
      .find(({ atMs, targets }) => atMs < endMs && targets.some((target) => fault.targets.includes(target)));
    if (second !== undefined) return `faults ${fault.id} and ${second.id} hold the same replica at once`;
  }
  return null;
}
