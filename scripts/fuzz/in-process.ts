// shell · fuzzes the framing and packet code on all cores: the threads, and what notices that one hangs or dies.
import { availableParallelism } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import * as framing from '../../services/shared/framing.ts';
import * as packet from '../../services/shared/packet.ts';
import { CATALOGUE_SIZE, chunksOf, drawInput, type Input } from './draw.ts';
import { checkInput, type Finding } from './oracle.ts';

const LOOK_EVERY_MS = 1000;
const HANGS_AFTER_LOOKS = 10;
// What takes a time that grows too fast shows with many bytes: twice the bytes may take twice the CPU time and no more.
const MEASURED_FROM_BYTES = 500;
const PACE_TRIES = 3;
const limitMs = ({ bytes, cuts }: Input): number => 50 + 0.001 * bytes.length + 0.15 * cuts.length;

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

/** A finding with the numbers of the inputs that may be its cause, the likeliest first. */
export type NumberedFinding = Finding & { numbers: readonly number[] };

export type InProcessTally = { inputs: number; frames: number; finding: NumberedFinding | null };

/** What a thread does: every `step`th input from `first` on, before `end`. */
type ThreadJob = Pick<Job, 'seed' | 'first' | 'forMs'> & {
  step: number;
  end: number;
  /** The thread keeps it up to date: the input that it looks at, how many it has looked at, and their frames. */
  counts: Int32Array<SharedArrayBuffer>;
};

/**
 * Fuzzes until the time is up, the inputs are used up, or something is found; on all cores when no number of inputs is
 * given. The inputs of the catalogue are tried however long they take.
 */
export async function fuzzInProcess({ count, signal, onProgress, ...job }: Job): Promise<InProcessTally> {
  const step = count === null ? availableParallelism() : 1;
  const end = count === null ? Number.POSITIVE_INFINITY : job.first + count;
  const enough = new AbortController();
  const ending = AbortSignal.any([signal, enough.signal]);
  const threads = Array.from({ length: step }, () => new Int32Array(new SharedArrayBuffer(12)));
  const sum = (place: number): number => threads.reduce((all, counts) => all + (counts[place] ?? 0), 0);
  const timer = setInterval(() => onProgress(sum(1)), LOOK_EVERY_MS);
  const findings = await Promise.all(
    threads.map(async (counts, i) => {
      const finding = await runThread({ ...job, first: job.first + i, step, end, counts }, ending);
      if (finding !== null) enough.abort();
      return finding;
    }),
  );
  clearInterval(timer);
  return { inputs: sum(1), frames: sum(2), finding: findings.find((one) => one !== null) ?? null };
}

// Resolves with what was found, or null when the thread is done, or was ended.
async function runThread(job: ThreadJob, signal: AbortSignal): Promise<NumberedFinding | null> {
  const { promise, resolve } = Promise.withResolvers<NumberedFinding | null>();
  const fail = (check: string, detail: string): void =>
    resolve({ check, detail, numbers: [Atomics.load(job.counts, 0)] });
  const thread = new Worker(new URL(import.meta.url), { workerData: job })
    .on('message', resolve)
    .on('error', (error: Error) => fail('nothing throws', String(error.stack)))
    .on('exit', () => fail('nothing ends the process', 'the thread has ended'));
  let last = -1;
  let looks = 0;
  const timer = setInterval(() => {
    const number = Atomics.load(job.counts, 0);
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

function fuzz({ seed, first, step, end, forMs, counts }: ThreadJob): NumberedFinding | null {
  const untilMs = performance.now() + forMs;
  for (let number = first; number < end; number += step) {
    if (number >= CATALOGUE_SIZE && performance.now() >= untilMs) break;
    Atomics.store(counts, 0, number);
    const input = drawInput(seed, number);
    // Most inputs make JSON.parse throw; only what is found is worth a stack.
    Error.stackTraceLimit = 0;
    const { finding, frames } = checkInput({ framing, packet }, input);
    Error.stackTraceLimit = 10;
    Atomics.add(counts, 1, 1);
    Atomics.add(counts, 2, frames);
    const again = finding === null ? checkPace(input) : checkInput({ framing, packet }, input).finding;
    const found = again ?? finding;
    if (found !== null) return { ...found, numbers: [number] };
  }
  return null;
}

function checkPace(input: Input): Finding | null {
  const { length } = input.bytes;
  if (length < MEASURED_FROM_BYTES) return null;
  let ms = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < PACE_TRIES; tries += 1) {
    ms = Math.min(ms, cpuMs(input));
    if (ms <= limitMs(input)) return null;
  }
  const detail = `${ms.toFixed(1)} ms for ${length} bytes in ${input.cuts.length + 1} chunks`;
  return { check: 'no input takes long', detail };
}

function cpuMs({ bytes, cuts, maxFrameBytes }: Input): number {
  const before = process.threadCpuUsage();
  const reader = new framing.FrameReader(maxFrameBytes);
  for (const chunk of chunksOf(bytes, cuts)) {
    reader.feed(chunk);
    while (reader.next()) packet.parsePacket(reader.bytes.toString('utf8', reader.start, reader.end));
  }
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

if (!isMainThread) parentPort?.postMessage(fuzz(workerData as ThreadJob));
