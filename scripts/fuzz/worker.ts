// shell · a thread that puts inputs through the framing and packet code and the oracle, and counts which branches they take.
// Must never load the code under test before the counting has begun: what is compiled then is never counted.
import { readFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { parentPort, workerData } from 'node:worker_threads';
import { coverageOf, type FileCoverage, type V8Function } from './coverage.ts';
import { CATALOGUE_SIZE, drawInput } from './inputs/draw.ts';
import type { InProcessTally, ThreadMessage, ThreadOrder } from './messages.ts';
import { type CodeUnderTest, checkInput } from './oracle.ts';
import { limitMs, measureInput } from './pace.ts';

const FILES = ['framing.ts', 'json-text.ts', 'packet-text.ts', 'packet.ts'].map(
  (file) => `services/shared/${file}`,
);
const ROOT = new URL('../../', import.meta.url);
// Counting slows everything down; whatever this many leave out is reported.
const COUNTED_INPUTS = CATALOGUE_SIZE + 5000;
const LOOK_AT_CLOCK_EVERY = 64;
const TELL_EVERY = 8192;
const MEASURED_FROM_BYTES = 500;
const STACK_FRAMES = 10;

// Code that V8 throws away and compiles again begins to count anew.
setFlagsFromString('--no-flush-bytecode');
const order = workerData as ThreadOrder;
const counting = new Session();
counting.connect();
await counting.post('Profiler.enable');
await counting.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
const code: CodeUnderTest = {
  framing: await import('../../services/shared/framing.ts'),
  packet: await import('../../services/shared/packet.ts'),
};
tell({ kind: 'done', tally: await run() });

async function run(): Promise<InProcessTally> {
  const { seed, first, step, count, forMs, current } = order;
  const currentNumber = new Int32Array(current);
  const endMs = performance.now() + forMs;
  const leastInputs = first === 0 && count === null ? CATALOGUE_SIZE : 1;
  const tally: InProcessTally = {
    inputs: 0,
    frames: 0,
    slowest: { number: first, ms: 0, bytes: 0 },
    finding: null,
    coverage: null,
  };
  while (tally.finding === null && tally.inputs !== count) {
    const number = numberOf(tally.inputs, first, step);
    Atomics.store(currentNumber, 0, number);
    lookAt(number, seed, tally);
    if (tally.coverage === null && tally.inputs === COUNTED_INPUTS) tally.coverage = await endCounting();
    if (tally.inputs % TELL_EVERY === 0) tell({ kind: 'progress', inputs: tally.inputs });
    const isTimeToLook = tally.inputs % LOOK_AT_CLOCK_EVERY === 0;
    if (isTimeToLook && tally.inputs >= leastInputs && performance.now() >= endMs) break;
  }
  if (tally.coverage === null && tally.finding === null && tally.inputs >= CATALOGUE_SIZE && first === 0) {
    tally.coverage = await endCounting();
  }
  return tally;
}

// The catalogue is for the first thread, which counts the branches; what is drawn is shared out.
function numberOf(index: number, first: number, step: number): number {
  const left = Math.max(0, CATALOGUE_SIZE - first);
  return index < left ? first + index : first + left + (index - left) * step;
}

function lookAt(number: number, seed: number, tally: InProcessTally): void {
  const input = drawInput(seed, number);
  // Most inputs make JSON.parse throw; only what is found is worth a stack.
  Error.stackTraceLimit = 0;
  const { finding, frames } = checkInput(code, input);
  Error.stackTraceLimit = STACK_FRAMES;
  tally.inputs += 1;
  tally.frames += frames;
  if (finding !== null) {
    tally.finding = { ...(checkInput(code, input).finding ?? finding), number };
    return;
  }
  // What takes a time that grows too fast shows with many bytes.
  if (input.bytes.length < MEASURED_FROM_BYTES) return;
  const ms = measureInput(code, input, tally.slowest.ms);
  if (ms <= tally.slowest.ms) return;
  tally.slowest = { number, ms, bytes: input.bytes.length };
  if (ms <= limitMs(input)) return;
  const detail = `${ms.toFixed(1)} ms for ${input.bytes.length} bytes in ${input.cuts.length + 1} chunks`;
  tally.finding = { check: 'no input takes long', detail, number };
}

async function endCounting(): Promise<FileCoverage[]> {
  const { result } = await counting.post('Profiler.takePreciseCoverage');
  await counting.post('Profiler.stopPreciseCoverage');
  return FILES.map((file) => {
    const url = new URL(file, ROOT);
    const script = result.find((one) => one.url === url.href);
    const functions: readonly V8Function[] = script?.functions ?? [];
    return coverageOf(file, readFileSync(fileURLToPath(url), 'utf8'), functions);
  });
}

function tell(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}
