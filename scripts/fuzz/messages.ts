// pure · what the in-process thread is told, and what it tells.
// Must never hold what can't be copied from thread to thread.
import type { FileCoverage } from './coverage.ts';
import type { Finding } from './oracle.ts';

export type ThreadOrder = {
  seed: number;
  first: number;
  /** From one input to the next: threads share the numbers out. */
  step: number;
  /** How many inputs at the most; null: until the time is up. */
  count: number | null;
  forMs: number;
  /** The number of the input that is being looked at, for whoever waits for a thread that hangs. */
  current: SharedArrayBuffer;
};

type SlowestInput = { number: number; ms: number; bytes: number };

export type InProcessTally = {
  inputs: number;
  frames: number;
  slowest: SlowestInput;
  finding: (Finding & { number: number }) | null;
  /** Null when too little was run to tell. */
  coverage: readonly FileCoverage[] | null;
};

export type ThreadMessage = { kind: 'progress'; inputs: number } | { kind: 'done'; tally: InProcessTally };
