// pure · what a scenario is: which faults when, under which settings, and what passes; and the draft it puts its faults into.
import { UsageError } from '../../../services/shared/config.ts';
import type { Random } from '../../kit/random.ts';
import type { Criterion } from '../judge/judge.ts';
import type { FaultKind, PhaseLengths, Plan, PlannedFault } from '../plan.ts';

export type Scenario = {
  /** As it is given on the command line. */
  name: string;
  /** One line for people: what is done. */
  title: string;
  /** Where it runs; without it, on the cluster of Docker Compose. */
  engine?: 'swarm';
  /** Lengths that differ from the usual ones; `faultsMs` is what --duration changes. */
  phases: Partial<PhaseLengths> & { faultsMs: number };
  /** What Compose gets; the servers' control port is opened where a fault needs it. */
  settings?: Plan['settings'];
  /** How many servers each policy has at least. */
  minServers?: number;
  /** How many proxies there are; 1 without it. Clients know all of them. */
  proxies?: number;
  /** The clients try again for so long, in ms: for faults of the proxy itself, during which nothing could answer. */
  retryForMs?: number;
  /** Puts the faults into the draft; with the same draft always the same ones. */
  draft(draft: Draft): void;
  /** A policy may be without any server, and refuse its requests. Else no request may be answered with an error. */
  mayRefuse?: true;
  /** What has to hold besides the criteria of every scenario. */
  criteria?(plan: Plan): readonly Criterion[];
};

type Wish = {
  kind: FaultKind;
  targets: string | readonly string[];
  /** ms after the begin of the fault phase. */
  atMs: number;
  /** ms until it is healed; 0 for what ends by itself. */
  forMs?: number;
  params?: Readonly<Record<string, number>>;
};

type Given = Pick<Plan, 'services' | 'serversPerPolicy'> & {
  random: Random;
  /** The only policy whose servers may be hit; null: any. */
  onlyPolicy: string | null;
  lengthMs: number;
};

/** The faults of a plan while they are drawn. A scenario takes all chance from `random`. */
export class Draft {
  readonly random: Random;
  readonly serversPerPolicy: number;
  /** The policies whose servers may be hit. */
  readonly hitPolicies: readonly string[];
  /** How long the fault phase lasts. */
  readonly lengthMs: number;
  readonly #services: Plan['services'];
  readonly #wishes: Wish[] = [];

  constructor({ random, services, serversPerPolicy, onlyPolicy, lengthMs }: Given) {
    this.random = random;
    this.serversPerPolicy = serversPerPolicy;
    this.hitPolicies = onlyPolicy === null ? [...new Set(Object.values(services))] : [onlyPolicy];
    this.lengthMs = lengthMs;
    this.#services = services;
  }

  /** The services that serve a policy. */
  servicesOf(policy: string): string[] {
    return Object.keys(this.#services).filter((service) => this.#services[service] === policy);
  }

  /** The replicas of a policy, as Compose names them. */
  serversOf(policy: string): string[] {
    const numbers = Array.from({ length: this.serversPerPolicy }, (_, index) => index + 1);
    return this.servicesOf(policy).flatMap((service) => numbers.map((number) => `${service}-${number}`));
  }

  /** One replica of a policy that may be hit. */
  anyServer(policy: string = this.random.pick(this.hitPolicies)): string {
    return this.random.pick(this.serversOf(policy));
  }

  /** Any policy but this one. @throws UsageError when there is none */
  otherPolicy(policy: string): string {
    const others = [...new Set(Object.values(this.#services))].filter((each) => each !== policy);
    if (others.length === 0) throw new UsageError(`The cluster has no policy but ${policy}: it takes two.`);
    return this.random.pick(others);
  }

  /** A fault may not hold a replica that another one holds at the time: what is dead can't be paused. */
  add(wish: Wish): void {
    this.#wishes.push(wish);
  }

  /** The faults in the order of time, dated from `offsetMs`, and numbered. */
  faults(offsetMs: number): PlannedFault[] {
    const inOrder = this.#wishes.toSorted((a, b) => a.atMs - b.atMs);
    return inOrder.map(({ kind, targets, atMs, forMs = 0, params = {} }, index) => ({
      id: index + 1,
      kind,
      targets: typeof targets === 'string' ? [targets] : targets,
      atMs: offsetMs + Math.round(atMs),
      forMs: Math.round(forMs),
      params,
    }));
  }
}

/** Repeats `round` every `everyMs` as long as a whole round fits into `lengthMs`, at least once. */
export function repeat(
  lengthMs: number,
  everyMs: number,
  round: (startMs: number, index: number) => void,
): void {
  const rounds = Math.max(1, Math.floor(lengthMs / everyMs));
  for (let index = 0; index < rounds; index += 1) round(index * everyMs, index);
}

/** Every 8 s one server, of each policy in turn. */
export function onEachPolicyInTurn(kind: FaultKind, forMs?: number): Scenario['draft'] {
  return (draft) => {
    repeat(draft.lengthMs, 8_000, (startMs, index) => {
      const policy = draft.hitPolicies[index % draft.hitPolicies.length];
      const atMs = startMs + draft.random.between(0, 500);
      draft.add({ kind, targets: draft.anyServer(policy), atMs, ...(forMs && { forMs }) });
    });
  };
}

/** One fault of one server, from the begin of the fault phase. @param forMs null: until a second before its end */
export function onAnyServer(kind: FaultKind, forMs: number | null, params = {}): Scenario['draft'] {
  return (draft) => {
    draft.add({ kind, targets: draft.anyServer(), atMs: 0, forMs: forMs ?? draft.lengthMs - 1_000, params });
  };
}
