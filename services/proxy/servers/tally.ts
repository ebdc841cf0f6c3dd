// What a server has been given and has done, in numbers. Where several threads serve, each has the numbers of its own share.

/** Written by the pool (inFlight, hanging, sent, lastAnswerMs), the forwarder (served, failed) and the health checker (provenMs). */
export type Tally = {
  /** Requests that it has not answered yet. */
  inFlight: number;
  /** Of those, the ones on silent connections of a server that serves others meanwhile. */
  hanging: number;
  /** Real requests handed over so far, answered or not. */
  sent: number;
  served: number;
  failed: number;
  /** When the last answer to a real request came, monotonic ms. */
  lastAnswerMs: number;
  /** When the last complete request that it answered as a probe had begun, monotonic ms. */
  provenMs: number;
  /** The keeper has taken it out of the rotation: other threads may not know yet. */
  readonly isOut: boolean;
  /** Requests in flight that do not hang, those of all threads, and one that a thread is about to hand over. */
  readonly awaited: number;
  /**
   * Before a server that gets one request at a time is given it: false when another thread has given it one, or is about to.
   * Between this and `release` no other thread can.
   */
  claim(): boolean;
  /** The request is counted, or is not handed over after all. */
  release(): void;
};

/** That of a process with one thread. */
export class LocalTally implements Tally {
  inFlight = 0;
  hanging = 0;
  sent = 0;
  served = 0;
  failed = 0;
  lastAnswerMs = Number.NEGATIVE_INFINITY;
  provenMs = Number.NEGATIVE_INFINITY;
  /** Here the rotation itself says so. */
  readonly isOut = false;

  get awaited(): number {
    return this.inFlight - this.hanging;
  }

  claim(): boolean {
    return true;
  }

  release(): void {}
}
