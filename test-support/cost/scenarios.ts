// pure · how many requests a measure takes, and how many before it.
// Must never be so few that a heartbeat or the sweep of deadlines, which come with the clock, could be seen in a bound.
import type { Scenario } from './bounds.ts';
import type { Lockstep } from './client.ts';

const PIPELINE_DEPTH = 64;

type Work = {
  /** Until everything is loaded, and V8 has seen what it remembers of each call. */
  warmUp: Lockstep;
  /** For the heap. */
  measured: Lockstep;
  /** For the system calls, which a tracer slows down; they are the same each time. */
  traced: Lockstep;
};

const onEach = (connections: number): Lockstep => ({ connections, rounds: 1, depth: 1 });
const onOne = (rounds: number, depth: number): Lockstep => ({ connections: 1, rounds, depth });

export const WORK: Readonly<Record<Scenario, Work>> = {
  oneshot: { warmUp: onEach(700), measured: onEach(700), traced: onEach(200) },
  keep: { warmUp: onOne(700, 1), measured: onOne(1500, 1), traced: onOne(300, 1) },
  pipelined: {
    warmUp: onOne(20, PIPELINE_DEPTH),
    measured: onOne(75, PIPELINE_DEPTH),
    traced: onOne(60, PIPELINE_DEPTH),
  },
};

/** Before a trace: what happens only the first time. */
export const FIRST_TIMES = 20;
