// seam · what a fault is: three verbs that the runner calls in this order. One file per fault implements it.
// A fault must never touch a container but through `cluster`, which knows only this Compose project.
import type { ChaosCluster, Replica } from '../docker.ts';
import type { FaultKind, PlannedFault } from '../plan.ts';

/** What a fault is given. */
export type FaultContext = {
  fault: PlannedFault;
  cluster: ChaosCluster;
  /** Notes that `replica` is about to be hit: call it right before the call that does it. */
  hit(replica: Replica): HitNote;
  /** Fires when the run is ended early: loops stop, waits end. */
  signal: AbortSignal;
};

/** Goes on noting what becomes of a hit. */
export type HitNote = {
  /**
   * When it has happened for certain, the first time counts.
   * @param atEpochMs where somebody knows better than that it is so by now
   */
  struck(atEpochMs?: number): void;
  /** Right before the call that ends it. */
  healing(): void;
  /** When that call has returned, or the replica was seen to run again. */
  healed(): void;
};

export type Proof = { isProven: boolean; evidence: string };

/** A fault that is about to happen, with whatever it has to remember between its verbs. */
export type ArmedFault = {
  /** Does it; resolves when the last call has returned. A fault that goes on (flap) goes on after that. */
  inject(): Promise<void>;
  /** Looks whether it took effect: inspect, exit code, control port. Called once, right after `inject` (for flap: before heal). */
  prove(): Promise<Proof>;
  /** Ends it; safe to call twice, and when `inject` failed half-way. */
  heal(): Promise<void>;
};

export type Fault = {
  kind: FaultKind;
  /** For people: `SIGKILL`. */
  title: string;
  /** What it is like in real life: `crash`. */
  like: string;
  /** Whether the servers' control port has to be open. */
  needsControl: boolean;
  arm(context: FaultContext): ArmedFault;
};
