// What happens beside the requests: probes, changes of health, registrations, and how late the event loop is.
import { isInRotation, type State } from '../health/health.ts';
import type { ProbeOutcome } from '../servers/failure.ts';
import type { Upstream } from '../servers/upstream.ts';
import { Histogram } from './histogram.ts';

/**
 * What a setup packet came to. `refreshed`: its server was in the table and is the same; `challenged`: it has to prove the
 * token first.
 */
export type RegistrationResult = 'registered' | 'refreshed' | 'challenged' | 'refused';

/** By how much a timer comes too late. */
export class LoopDelay extends Histogram {
  #tickedMs = 0;

  /** A timer of `everyMs` has come, at `nowMs` (monotonic), and is set again. */
  ticked(nowMs: number, everyMs: number): void {
    if (this.#tickedMs > 0) this.observe(Math.max(0, nowMs - this.#tickedMs - everyMs));
    this.#tickedMs = nowMs;
  }
}

/** Counts of what is not per request. Each is written by the method that is called like it. */
export class ControlCounts {
  readonly probes = new Map<ProbeOutcome, Histogram>();
  readonly registrations: Record<RegistrationResult, number> = {
    registered: 0,
    refreshed: 0,
    challenged: 0,
    refused: 0,
  };
  /** From when a server last showed that it works until it was taken out for a failure. */
  readonly detection = new Histogram();
  /** Written by the data path, or from the reports of the workers. */
  readonly loopDelay = new LoopDelay();

  probed(outcome: ProbeOutcome, tookMs: number): void {
    let histogram = this.probes.get(outcome);
    if (histogram === undefined) {
      histogram = new Histogram();
      this.probes.set(outcome, histogram);
    }
    histogram.observe(tookMs);
  }

  /** A server's health has changed, from the state `before`; `nowMs` is monotonic. */
  changed({ health, passedMs, tally }: Upstream, before: State, nowMs: number): void {
    const isOut = health.state === 'suspect' || health.state === 'evicted';
    // One that is ejected answers now and then: its last answer says nothing.
    if (isOut && isInRotation(before)) this.detection.observe(nowMs - Math.max(passedMs, tally.lastAnswerMs));
  }

  registration(result: RegistrationResult): void {
    this.registrations[result] += 1;
  }
}
