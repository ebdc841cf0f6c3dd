// pure · a plan while it is being written: what a scenario may ask of the cluster and of chance.
// Must never let two faults hold the same replica at once: what is dead can't be paused.

import type { Random } from '../kit/random.ts';
import { type FaultKind, type PlannedFault, serviceOf } from './plan.ts';

export type FaultWish = {
  kind: FaultKind;
  targets: string | readonly string[];
  /** ms after the begin of the fault phase. */
  atMs: number;
  /** ms until it is healed; 0 for what ends by itself. */
  forMs?: number;
  params?: Readonly<Record<string, number>>;
};

export class Draft {
  readonly random: Random;
  /** All policies; faults keep to `hitPolicies`. */
  readonly policies: readonly string[];
  /** The policies whose servers may be hit. */
  readonly hitPolicies: readonly string[];
  readonly serversPerPolicy: number;
  /** How long the fault phase lasts. */
  readonly lengthMs: number;
  readonly #wishes: FaultWish[] = [];

  constructor(given: {
    random: Random;
    policies: readonly string[];
    hitPolicies: readonly string[];
    serversPerPolicy: number;
    lengthMs: number;
  }) {
    this.random = given.random;
    this.policies = given.policies;
    this.hitPolicies = given.hitPolicies;
    this.serversPerPolicy = given.serversPerPolicy;
    this.lengthMs = given.lengthMs;
  }

  /** The replicas of a policy, as Compose names them. */
  serversOf(policy: string): string[] {
    return Array.from({ length: this.serversPerPolicy }, (_, i) => `${serviceOf(policy)}-${i + 1}`);
  }

  /** All replicas of the policies that may be hit. */
  servers(): string[] {
    return this.hitPolicies.flatMap((policy) => this.serversOf(policy));
  }

  /** One replica of a policy that may be hit. */
  anyServer(policy: string = this.random.pick(this.hitPolicies)): string {
    return this.random.pick(this.serversOf(policy));
  }

  add(wish: FaultWish): void {
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
