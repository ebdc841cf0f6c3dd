// shell · what a fault is: three verbs that the runner calls in this order; and how most faults are made: each target is hit
// once, all of them at the same time. A fault touches containers through `cluster` only, which knows one Compose project.
import type { DockerCluster, Replica } from '../../cluster/docker.ts';
import type { PlannedFault } from '../plan.ts';
import { FAULT_FACTS } from './facts.ts';

/** What a fault is given. */
export type FaultContext = {
  fault: PlannedFault;
  cluster: DockerCluster;
  /** Notes that `replica` is about to be hit: call it right before the call that does it. */
  hit(replica: Replica): HitNote;
  /** Fires when the run is ended early: loops stop, waits end. */
  signal: AbortSignal;
};

/** Notes what becomes of a hit. */
export type HitNote = {
  /**
   * It has happened for certain; the first call counts.
   * @param atEpochMs when that was, where something knows it better than the caller's clock
   */
  struck(atEpochMs?: number): void;
  /** Right before the call that ends it. */
  healing(): void;
  /** When that call has returned, or the replica was seen to run again. */
  healed(): void;
};

/** Whether an effect was seen, and how. */
export type Proof = { isProven: boolean; evidence: string };

/** A fault that is about to happen, with whatever it has to remember between its verbs. */
export type ArmedFault = {
  /** Does it; resolves when the last call has returned. A repeated fault goes on after that. */
  inject(): Promise<void>;
  /** Checks that it took effect: inspect, exit code, control port. Called once: after `inject`, of a repeated fault before `heal`. */
  prove(): Promise<Proof>;
  /** Ends it; safe to call twice, and when `inject` failed half-way. */
  heal(): Promise<void>;
};

/** A kind of fault. */
export type Arm = (context: FaultContext) => ArmedFault;

/** One target, with what the fault remembers of the time before. */
export type Target<Memory> = {
  cluster: DockerCluster;
  replica: Replica;
  fault: PlannedFault;
  memory: Memory;
};

/** What is particular to a fault that hits each of its targets once. */
export type TargetVerbs<Memory> = {
  /** Looks at a target before any is hit. */
  remember?(cluster: DockerCluster, replica: Replica): Promise<Memory>;
  /** The call that does it, without anything before it: the clock runs. */
  strike(target: Target<Memory>): Promise<unknown>;
  /** After `strike`: when it took effect, ms since the epoch; without it, when `strike` had returned. */
  struckAt?(target: Target<Memory>): Promise<number>;
  /** In which order the targets are mended as soon as all are struck; without it, they are mended when the fault is over. */
  mendAtOnce?(targets: readonly Target<Memory>[]): readonly Target<Memory>[];
  prove(target: Target<Memory>, all: readonly Target<Memory>[]): Promise<Proof>;
  /** Ends it, whatever `strike` has achieved. */
  mend(target: Target<Memory>): Promise<void>;
};

/** The fault that hits each of its targets once, all at the same time. */
export function onEachTarget<Memory>(verbs: TargetVerbs<Memory>): Arm {
  return (context) => new TargetFault(verbs, context);
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
    return allProven(await Promise.all(this.#hit.map((target) => this.#verbs.prove(target, this.#hit))));
  }

  async heal(): Promise<void> {
    // Whether it has worked, `inject` has reported; what it has done so far is healed either way.
    await this.#injection.catch(() => {});
    await settleAll(this.#hit.filter(({ isHealed }) => !isHealed).map((target) => this.#heal(target)));
  }

  async #strikeAll(): Promise<void> {
    const { cluster, fault } = this.#context;
    const targets = await Promise.all(
      (await findTargets(this.#context)).map(async (replica) => {
        const memory = (await this.#verbs.remember?.(cluster, replica)) as Memory;
        return { cluster, replica, fault, memory };
      }),
    );
    await settleAll(targets.map((target) => this.#strike(target)));
    for (const target of this.#verbs.mendAtOnce?.(this.#hit) ?? [])
      await this.#heal(target as HitTarget<Memory>);
  }

  async #strike(target: Target<Memory>): Promise<void> {
    const hit = { ...target, note: this.#context.hit(target.replica), isHealed: false };
    this.#hit.push(hit);
    await this.#verbs.strike(hit);
    hit.note.struck(await this.#verbs.struckAt?.(target));
    if (!FAULT_FACTS[target.fault.kind].endsByItself) return;
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
  return await Promise.all(fault.targets.map((name) => cluster.find(name)));
}

/** Waits for all of them, so that healing never races with a strike, and only then throws the first error. */
export async function settleAll(works: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(works)) if (result.status === 'rejected') throw result.reason;
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
