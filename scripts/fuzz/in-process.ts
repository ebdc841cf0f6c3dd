// shell · runs the threads that fuzz the framing and packet code, and notices when one hangs or dies.
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Finding } from './oracle.ts';

const LOOK_EVERY_MS = 1000;
const HANGS_AFTER_LOOKS = 10;

/** Which inputs, and for how long. */
export type Job = {
  seed: number;
  first: number;
  /** How many inputs at the most; null: until the time is up. */
  count: number | null;
  forMs: number;
  /** Ends the run early: what has been found by then is returned. */
  signal: AbortSignal;
  onProgress: (inputs: number) => void;
};

/** What a thread does: every `step`th input from `first` on, before `end`. */
export type ThreadOrder = Pick<Job, 'seed' | 'first' | 'forMs'> & {
  step: number;
  end: number;
  /** Int32s that the thread keeps up to date, by `Place`. */
  shared: SharedArrayBuffer;
};

/** In `shared`: the input that is being looked at, how many have been, and their frames. */
export const PLACE = { current: 0, inputs: 1, frames: 2 } as const;

export type InProcessTally = { inputs: number; frames: number; finding: NumberedFinding | null };

/** A finding with the numbers of the inputs that may be its cause, the likeliest first. */
export type NumberedFinding = Finding & { numbers: readonly number[] };

/**
 * Fuzzes the framing and packet code until the time is up, the inputs are used up, or something is found; on all cores
 * when no number of inputs is given. The inputs of the catalogue are tried however long they take.
 */
export async function fuzzInProcess({ count, signal, onProgress, ...job }: Job): Promise<InProcessTally> {
  const step = count === null ? availableParallelism() : 1;
  const end = count === null ? Number.POSITIVE_INFINITY : job.first + count;
  const enough = new AbortController();
  const ending = AbortSignal.any([signal, enough.signal]);
  const threads = Array.from({ length: step }, () => new SharedArrayBuffer(12));
  const sum = (place: number): number =>
    threads.reduce((total, shared) => total + (new Int32Array(shared)[place] ?? 0), 0);
  const timer = setInterval(() => onProgress(sum(PLACE.inputs)), LOOK_EVERY_MS);
  const findings = await Promise.all(
    threads.map(async (shared, i) => {
      const finding = await runThread({ ...job, first: job.first + i, step, end, shared }, ending);
      if (finding !== null) enough.abort();
      return finding;
    }),
  );
  clearInterval(timer);
  const finding = findings.find((one) => one !== null) ?? null;
  return { inputs: sum(PLACE.inputs), frames: sum(PLACE.frames), finding };
}

// Resolves with what was found, or null when the thread is done, or was ended.
async function runThread(order: ThreadOrder, signal: AbortSignal): Promise<NumberedFinding | null> {
  const { promise, resolve } = Promise.withResolvers<NumberedFinding | null>();
  const counts = new Int32Array(order.shared);
  const fail = (check: string, detail: string): void =>
    resolve({ check, detail, numbers: [Atomics.load(counts, PLACE.current)] });
  const thread = new Worker(new URL('./worker.ts', import.meta.url), { workerData: order })
    .on('message', resolve)
    .on('error', (error: Error) => fail('nothing throws', String(error.stack)))
    .on('exit', () => fail('nothing ends the process', 'the thread has ended'));
  let last = -1;
  let looks = 0;
  const timer = setInterval(() => {
    const number = Atomics.load(counts, PLACE.current);
    looks = number === last ? looks + 1 : 0;
    last = number;
    if (looks >= HANGS_AFTER_LOOKS) fail('every input comes to an end', `no end after ${looks} s`);
  }, LOOK_EVERY_MS);
  const onAbort = (): void => resolve(null);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const finding = await promise;
  clearInterval(timer);
  signal.removeEventListener('abort', onAbort);
  await thread.terminate();
  return finding;
}
