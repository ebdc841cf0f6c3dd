// shell · runs the in-process thread, and notices when it hangs or dies.
// Must never lose the number of the input that did it.
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { CATALOGUE_SIZE } from './inputs/draw.ts';
import type { InProcessTally, ThreadMessage, ThreadOrder } from './messages.ts';

const LOOK_EVERY_MS = 1000;
const HANGS_AFTER_LOOKS = 10;

export type InProcessJob = Omit<ThreadOrder, 'current' | 'step'> & {
  signal: AbortSignal;
  onProgress: (inputs: number) => void;
};

type ThreadJob = Omit<ThreadOrder, 'current'> & {
  signal: AbortSignal;
  onProgress: (inputs: number) => void;
};

/**
 * Fuzzes the framing and packet code until the time is up, the inputs are used up, or something is found; on all cores
 * when no number of inputs is given.
 */
export async function fuzzInProcess(job: InProcessJob): Promise<InProcessTally> {
  const step = job.count === null ? availableParallelism() : 1;
  const enough = new AbortController();
  const signal = AbortSignal.any([job.signal, enough.signal]);
  const done: InProcessTally[] = [];
  const inputs = new Array<number>(step).fill(0);
  const runs = inputs.map(async (_, thread) => {
    const first = thread === 0 ? job.first : Math.max(job.first, CATALOGUE_SIZE) + thread;
    const onProgress = (count: number): void => {
      inputs[thread] = count;
      job.onProgress(inputs.reduce((sum, one) => sum + one, 0));
    };
    const tally = await fuzzInThread({ ...job, first, step, signal, onProgress });
    done.push(tally);
    if (tally.finding !== null) enough.abort();
  });
  await Promise.allSettled(runs);
  job.signal.throwIfAborted();
  return done.reduce(together);
}

function together(one: InProcessTally, other: InProcessTally): InProcessTally {
  return {
    inputs: one.inputs + other.inputs,
    frames: one.frames + other.frames,
    slowest: one.slowest.ms >= other.slowest.ms ? one.slowest : other.slowest,
    finding: one.finding ?? other.finding,
    coverage: one.coverage ?? other.coverage,
  };
}

async function fuzzInThread({ signal, onProgress, ...job }: ThreadJob): Promise<InProcessTally> {
  signal.throwIfAborted();
  const current = new SharedArrayBuffer(4);
  const order: ThreadOrder = { ...job, current };
  // Code from the compile cache has no counters in it.
  const env = { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' };
  const thread = new Worker(new URL('./worker.ts', import.meta.url), { workerData: order, env });
  const done = Promise.withResolvers<InProcessTally>();
  let inputs = 0;
  const fail = (check: string, detail: string): void => {
    const number = Atomics.load(new Int32Array(current), 0);
    const slowest = { number, ms: 0, bytes: 0 };
    done.resolve({ inputs, frames: 0, slowest, finding: { check, detail, number }, coverage: null });
  };
  const stopLooking = watch(current, () =>
    fail('every input comes to an end', `no end after ${HANGS_AFTER_LOOKS} s`),
  );
  thread.on('message', (message: ThreadMessage) => {
    if (message.kind === 'done') {
      done.resolve(message.tally);
      return;
    }
    inputs = message.inputs;
    onProgress(inputs);
  });
  thread.on('error', (error: Error) => fail('nothing throws', String(error.stack)));
  thread.on('exit', () => fail('nothing ends the process', 'the thread has ended'));
  const onAbort = (): void => done.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await done.promise;
  } finally {
    stopLooking();
    signal.removeEventListener('abort', onAbort);
    await thread.terminate();
  }
}

function watch(current: SharedArrayBuffer, onHang: () => void): () => void {
  const numbers = new Int32Array(current);
  let last = -1;
  let looks = 0;
  const timer = setInterval(() => {
    const number = Atomics.load(numbers, 0);
    looks = number === last ? looks + 1 : 0;
    last = number;
    if (looks >= HANGS_AFTER_LOOKS) onHang();
  }, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}
