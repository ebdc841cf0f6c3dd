// shell · a thread that puts inputs through the framing and packet code and the oracle.
import { parentPort, workerData } from 'node:worker_threads';
import * as framing from '../../services/shared/framing.ts';
import * as packet from '../../services/shared/packet.ts';
import { CATALOGUE_SIZE, chunksOf, drawInput, type Input } from './draw.ts';
import { type NumberedFinding, PLACE, type ThreadOrder } from './in-process.ts';
import { checkInput, type Finding } from './oracle.ts';

const { seed, first, step, end, forMs, shared } = workerData as ThreadOrder;
const code = { framing, packet };
const counts = new Int32Array(shared);
const untilMs = performance.now() + forMs;

// Of CPU time, on a slow machine too: twice the bytes may take twice the time and no more.
const PACE_TRIES = 3;
const limitMs = ({ bytes, cuts }: Input): number => 50 + 0.001 * bytes.length + 0.15 * cuts.length;
// What takes a time that grows too fast shows with many bytes.
const MEASURED_FROM_BYTES = 500;

function run(): NumberedFinding | null {
  for (let number = first; number < end; number += step) {
    if (number >= CATALOGUE_SIZE && performance.now() >= untilMs) break;
    Atomics.store(counts, PLACE.current, number);
    const input = drawInput(seed, number);
    // Most inputs make JSON.parse throw; only what is found is worth a stack.
    Error.stackTraceLimit = 0;
    const { finding, frames } = checkInput(code, input);
    Error.stackTraceLimit = 10;
    Atomics.add(counts, PLACE.inputs, 1);
    Atomics.add(counts, PLACE.frames, frames);
    const found = finding === null ? checkPace(input) : (checkInput(code, input).finding ?? finding);
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

parentPort?.postMessage(run());
