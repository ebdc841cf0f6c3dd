// shell · what a fault is: three verbs in this order; and how most are made: each target is hit once, all at the same time.
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
  /** The targets are mended one after the other as soon as all are struck, in this order. */
  mendFirst?(a: Target<Memory>, b: Target<Memory>): number;
  prove(target: Target<Memory>, all: readonly Target<Memory>[]): Promise<Proof>;
  /** Ends it, whatever `strike` has achieved, and also when it is over already. */
  mend(target: Target<Memory>): Promise<void>;
};

/** The fault that hits each of its targets once, all at the same time. */
export function onEachTarget<Memory>(verbs: TargetVerbs<Memory>): Arm {
  return (context) => {
    const { cluster, fault } = context;
    const hits: (Target<Memory> & { note: HitNote })[] = [];
    let injection: Promise<void> = Promise.resolve();
    const strike = async (target: Target<Memory>): Promise<void> => {
      const note = context.hit(target.replica);
      hits.push({ ...target, note });
      await verbs.strike(target);
      note.struck(await verbs.struckAt?.(target));
      if (FAULT_FACTS[fault.kind].endsByItself) note.healed();
    };
    const mend = async (target: (typeof hits)[number]): Promise<void> => {
      target.note.healing();
      await verbs.mend(target);
      target.note.healed();
    };
    const strikeAll = async (): Promise<void> => {
      const replicas = await findTargets(context);
      const remember = async (replica: Replica): Promise<Target<Memory>> => {
        return { cluster, replica, fault, memory: (await verbs.remember?.(cluster, replica)) as Memory };
      };
      const targets = await Promise.all(replicas.map(remember));
      await settleAll(targets.map(strike));
      if (verbs.mendFirst === undefined) return;
      for (const target of hits.toSorted((a, b) => verbs.mendFirst?.(a, b) ?? 0)) await mend(target);
    };
    return {
      async inject() {
        injection = strikeAll();
        await injection;
      },
      prove: async () => allProven(await Promise.all(hits.map((target) => verbs.prove(target, hits)))),
      async heal() {
        // Whether it has worked, `inject` has reported; what it has done so far is healed either way.
        await injection.catch(() => {});
        await settleAll(hits.map(mend));
      },
    };
  };
}

/** The replicas that the fault names. @throws Error when one isn't there */
export async function findTargets({ cluster, fault }: FaultContext): Promise<Replica[]> {
  return await Promise.all(fault.targets.map((name) => cluster.findByPlace(name)));
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
