// shell · what CPU time the code under test takes for one input.
// Must never blame the code for a moment in which the machine did something else.
import { chunksOf, type Input } from './inputs/input.ts';
import type { CodeUnderTest } from './oracle.ts';

const TRIES = 3;
const LIMIT_MS = 50;
// An unfinished frame is copied for each chunk; besides that, twice the bytes may take twice the time and no more.
const LIMIT_PER_BYTE_MS = 0.001;
const LIMIT_PER_CHUNK_MS = 0.01;
const LIMIT_PER_COPIED_BYTE_MS = 0.000_002;

/** Milliseconds of CPU time for reading and parsing the whole stream; at least `worthMs`, it is measured again and the least counts. */
export function measureInput(code: CodeUnderTest, input: Input, worthMs: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < TRIES && least >= worthMs; tries += 1) {
    const before = process.threadCpuUsage();
    run(code, input);
    const { user, system } = process.threadCpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}

/** What an input may take at the most, on a slow machine too. */
export function limitMs({ bytes, cuts, maxFrameBytes }: Input): number {
  const perChunkMs = LIMIT_PER_CHUNK_MS + maxFrameBytes * LIMIT_PER_COPIED_BYTE_MS;
  return LIMIT_MS + bytes.length * LIMIT_PER_BYTE_MS + (cuts.length + 1) * perChunkMs;
}

function run({ framing, packet }: CodeUnderTest, { bytes, cuts, maxFrameBytes }: Input): void {
  const reader = new framing.FrameReader(maxFrameBytes);
  for (const chunk of chunksOf(bytes, cuts)) {
    reader.feed(chunk);
    while (reader.next()) packet.parsePacket(reader.bytes.toString('utf8', reader.start, reader.end));
    if (reader.fault !== null) return;
  }
}
