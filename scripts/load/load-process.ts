// shell · the load generator in a process of its own, both ends of it: what starts it gets a record of each request.
import { fileURLToPath } from 'node:url';
import { runMain } from '../../services/shared/config.ts';
import { epochMs } from '../kit/epoch.ts';
import { startProcess } from '../kit/process.ts';
import type { RequestRecord } from './exchange.ts';
import { runLoad } from './generator.ts';
import { parseLoadCommand } from './options.ts';

const THIS_FILE = fileURLToPath(import.meta.url);
const FIRST_REQUEST_MS = 15_000;
const LAST_REPLIES_MS = 10_000;
const FLUSH_MS = 50;
const LAG_EVERY_MS = 5;
/** Timers have whole milliseconds, and a turn of the event loop has work of its own. */
const USUAL_LAG_MS = 4;

export type LoadEnd = { startLagP99Ms: number; strayAnswers: number };
/** What the process prints, a line of JSON each. */
type Line = { request: RequestRecord } | { lagMs: number } | { end: LoadEnd };

export type LoadProcess = {
  /** Resolves with the intended time of the first request, ms since the epoch; rejects when there is none. */
  started: Promise<number>;
  /** Rejects when the generator ends before `stop` is called. */
  failed: Promise<never>;
  /** No request becomes due any more; resolves when the last ones have ended. */
  stop(): Promise<LoadEnd>;
};

/**
 * @param args      options of `npm run load`
 * @param onRequest gets every request when it has ended
 * @param onLag     gets by how much the generator was late in the last 50 ms
 */
export function startLoad(
  args: readonly string[],
  onRequest: (request: RequestRecord) => void,
  onLag: (ms: number) => void = () => {},
): LoadProcess {
  const started = Promise.withResolvers<number>();
  const failed = Promise.withResolvers<never>();
  const finished = Promise.withResolvers<LoadEnd>();
  for (const { promise } of [started, failed, finished]) promise.catch(() => {});
  let end: LoadEnd | null = null;
  let isStopping = false;
  const fail = (why: string): void => {
    clearTimeout(timer);
    const error = new Error(`The load generator ${why}`.trim());
    for (const { reject } of [started, failed, finished]) reject(error);
  };
  const timer = setTimeout(() => fail('sent no request.'), FIRST_REQUEST_MS);
  const onLine = (text: string): void => {
    const line = parseLine(text);
    if (line === null) return;
    if ('end' in line) end = line.end;
    else if ('lagMs' in line) onLag(line.lagMs);
    else {
      clearTimeout(timer);
      started.resolve(line.request.dueEpochMs);
      onRequest(line.request);
    }
  };
  // In a process group of its own: Ctrl-C in the terminal does not end it before the run does.
  const starting = startProcess(process.execPath, [THIS_FILE, ...args], {
    onLine,
    stopWithinMs: LAST_REPLIES_MS,
  });
  starting
    .then(async ({ ended, tail }) => {
      const how = await ended;
      if (end !== null && isStopping) finished.resolve(end);
      else fail(`ended by itself (${how}). ${tail()}`);
    })
    .catch((error: Error) => fail(`could not be started: ${error.message}`));
  return {
    started: started.promise,
    failed: failed.promise,
    stop: async () => {
      isStopping = true;
      await (await starting).stop();
      return await finished.promise;
    },
  };
}

// What it complains of on standard error is no record, nor is the half of a last line of one that was killed.
function parseLine(text: string): Line | null {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return null;
  }
}

/** Runs the generator and prints its records; ends on SIGTERM. */
async function printRecords(): Promise<void> {
  const { options } = parseLoadCommand(process.argv.slice(2));
  const ending = new AbortController();
  const endIt = (): void => ending.abort();
  process.on('SIGTERM', endIt);
  process.stdout.on('error', endIt);
  let lines = '';
  const print = (line: Line): void => {
    lines += `${JSON.stringify(line)}\n`;
  };
  const takeLag = measureLag();
  const flush = (): void => {
    const lagMs = takeLag();
    if (lagMs > 0) print({ lagMs });
    if (lines !== '') process.stdout.write(lines);
    lines = '';
  };
  const timer = setInterval(flush, FLUSH_MS);
  try {
    const result = await runLoad(options, { onRequest: (request) => print({ request }) }, ending.signal);
    print({ end: { startLagP99Ms: result.startLagMs.p99, strayAnswers: result.strayAnswers } });
  } finally {
    clearInterval(timer);
    flush();
  }
}

/**
 * Measures by how much the timers of this process are late: what its machine, and its own work, keep from it.
 * @returns a function that returns the lateness since its last call, in ms
 */
function measureLag(): () => number {
  let lastMs = epochMs();
  let lateMs = 0;
  const look = (): void => {
    const nowMs = epochMs();
    const overMs = nowMs - lastMs - LAG_EVERY_MS;
    if (overMs > USUAL_LAG_MS) lateMs += overMs;
    lastMs = nowMs;
  };
  setInterval(look, LAG_EVERY_MS).unref();
  return () => {
    look();
    const taken = lateMs;
    lateMs = 0;
    return taken;
  };
}

if (process.argv[1] === THIS_FILE) await runMain('load-process', printRecords);
