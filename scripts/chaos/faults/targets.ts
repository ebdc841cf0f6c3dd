// shell · a fault that hits each of its targets once, all at the same time: what most faults are.
// Must never leave a strike unawaited: healing would race with it.
import type { ChaosCluster, Replica } from '../docker.ts';
import type { FaultKind, PlannedFault } from '../plan.ts';
import type { ArmedFault, Fault, FaultContext, HitNote, Proof } from './fault.ts';

/** One target, with what the fault remembers of the time before. */
export type Target<Memory> = {
  cluster: ChaosCluster;
  replica: Replica;
  fault: PlannedFault;
  memory: Memory;
};

/** What is particular to a fault; everything is said of one target. */
export type TargetVerbs<Memory> = {
  kind: FaultKind;
  title: string;
  like: string;
  needsControl?: boolean;
  /** `strike` returns when it is over. */
  endsByItself?: boolean;
  /** Looks at the target before any is hit. */
  remember(cluster: ChaosCluster, replica: Replica): Promise<Memory>;
  /** The call that does it, without anything before it: the clock runs. */
  strike(target: Target<Memory>): Promise<void>;
  /** After `strike`: when it took effect, ms since the epoch; without it, when `strike` had returned. */
  struckAt?(target: Target<Memory>): Promise<number>;
  prove(target: Target<Memory>): Promise<Proof>;
  /** Ends it, whatever `strike` has achieved. */
  mend(target: Target<Memory>): Promise<void>;
};

/** A fault from its verbs. */
export function targetFault<Memory>(verbs: TargetVerbs<Memory>): Fault {
  const { kind, title, like, needsControl = false } = verbs;
  return { kind, title, like, needsControl, arm: (context) => new TargetFault(verbs, context) };
}

/** For faults with nothing to remember. */
export async function nothing(): Promise<null> {
  return null;
}

type HitTarget<Memory> = Target<Memory> & { note: HitNote; isHealed: boolean };

class TargetFault<Memory> implements ArmedFault {
  readonly #verbs: TargetVerbs<Memory>;
  readonly #context: FaultContext;
  readonly #hit: HitTarget<Memory>[] = [];
  #injection: Promise<void> = Promise.resolve();

  constructor(verbs: TargetVerbs<Memory>, context: FaultContext) {
    this.#verbs = verbs;
    this.#context = context;
  }

  async inject(): Promise<void> {
    this.#injection = this.#strikeAll();
    await this.#injection;
  }

  async prove(): Promise<Proof> {
    const proofs = await Promise.all(this.#hit.map((target) => this.#verbs.prove(target)));
    return allProven(proofs);
  }

  async heal(): Promise<void> {
    // Whether it has worked is told by `inject`; what it has done so far is healed either way.
    await this.#injection.catch(() => {});
    await settleAll(this.#hit.filter(({ isHealed }) => !isHealed).map((target) => this.#heal(target)));
  }

  async #strikeAll(): Promise<void> {
    const { cluster, fault } = this.#context;
    const replicas = await findTargets(this.#context);
    const targets = await Promise.all(
      replicas.map(async (replica) => {
        const memory = await this.#verbs.remember(cluster, replica);
        return { cluster, replica, fault, memory };
      }),
    );
    await settleAll(targets.map((target) => this.#strike(target)));
  }

  async #strike(target: Target<Memory>): Promise<void> {
    const hit = { ...target, note: this.#context.hit(target.replica), isHealed: false };
    this.#hit.push(hit);
    await this.#verbs.strike(hit);
    hit.note.struck(await this.#verbs.struckAt?.(target));
    if (!this.#verbs.endsByItself) return;
    hit.note.healed();
    hit.isHealed = true;
  }

  async #heal(target: HitTarget<Memory>): Promise<void> {
    target.note.healing();
    await this.#verbs.mend(target);
    target.note.healed();
    target.isHealed = true;
  }
}

/** The replicas that the fault names. @throws Error when one isn't there */
export async function findTargets({ cluster, fault }: FaultContext): Promise<Replica[]> {
  const all = await cluster.replicas();
  return await Promise.all(
    fault.targets.map((name) => all.find((replica) => replica.name === name) ?? cluster.find(name)),
  );
}

/** Waits for all of them, and only then throws the first error. */
export async function settleAll(works: readonly Promise<unknown>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(works))
    if (outcome.status === 'rejected') throw outcome.reason;
}

/** Proven when there is something to prove and all of it is. */
export function allProven(proofs: readonly Proof[]): Proof {
  return {
    isProven: proofs.length > 0 && proofs.every(({ isProven }) => isProven),
    evidence: proofs.map(({ evidence }) => evidence).join('; ') || 'nothing was hit',
  };
}

/** A number of the plan, or what is usual. */
export function paramOf({ params }: PlannedFault, name: string, usual: number): number {
  return params[name] ?? usual;
}
