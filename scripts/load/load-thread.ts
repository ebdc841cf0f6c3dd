// shell · the load generator in a thread of its own, both ends of it: what starts it gets a record of each request.
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { epochMs } from '../kit/time.ts';
import type { RequestRecord } from './exchange.ts';
import { runLoad } from './generator.ts';
import { parseLoadCommand } from './options.ts';

const FIRST_REQUEST_MS = 15_000;
const LAST_REPLIES_MS = 10_000;
const REPORT_EVERY_MS = 50;
const LAG_EVERY_MS = 5;
/** Timers have whole milliseconds, and a turn of the event loop has work of its own. */
const USUAL_LAG_MS = 4;

export type LoadEnd = { startLagP99Ms: number; strayAnswers: number };
/** What the thread reports: the requests that have ended since its last message, and by how much it was late. */
type Message = { requests: readonly RequestRecord[]; lagMs: number; end: LoadEnd | null };

export type RunningLoad = {
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
): RunningLoad {
  const started = Promise.withResolvers<number>();
  const failed = Promise.withResolvers<never>();
  const finished = Promise.withResolvers<LoadEnd>();
  for (const { promise } of [started, failed, finished]) promise.catch(() => {});
  let isStopping = false;
  const fail = (why: string): void => {
    clearTimeout(timer);
    const error = new Error(`The load generator ${why}`);
    for (const { reject } of [started, failed, finished]) reject(error);
  };
  let timer = setTimeout(() => fail('sent no request.'), FIRST_REQUEST_MS);
  const thread = new Worker(import.meta.filename, { workerData: args });
  thread.on('message', ({ requests, lagMs, end }: Message) => {
    if (lagMs > 0) onLag(lagMs);
    for (const request of requests) {
      clearTimeout(timer);
      started.resolve(request.dueEpochMs);
      onRequest(request);
    }
    if (end !== null && isStopping) finished.resolve(end);
  });
  thread.on('error', (error: Error) => fail(`failed: ${error.message}`));
  thread.on('exit', () => {
    if (isStopping) finished.reject(new Error('The load generator did not end in time.'));
    else fail('ended by itself.');
  });
  return {
    started: started.promise,
    failed: failed.promise,
    stop: async () => {
      isStopping = true;
      thread.postMessage('stop');
      clearTimeout(timer);
      timer = setTimeout(() => void thread.terminate(), LAST_REPLIES_MS);
      return await finished.promise.finally(() => clearTimeout(timer));
    },
  };
}

/** Runs the generator and reports to `startLoad`, which ends it with a message. */
async function sendRecords(port: NonNullable<typeof parentPort>, args: readonly string[]): Promise<void> {
  const { options } = parseLoadCommand(args);
  const ending = new AbortController();
  port.once('message', () => ending.abort());
  let requests: RequestRecord[] = [];
  const takeLag = measureLag();
  const report = (end: LoadEnd | null): void => {
    port.postMessage({ requests, lagMs: takeLag(), end } satisfies Message);
    requests = [];
  };
  const timer = setInterval(report, REPORT_EVERY_MS, null);
  const onRequest = (request: RequestRecord): void => void requests.push(request);
  const { startLagMs, strayAnswers } = await runLoad(options, { onRequest }, ending.signal);
  clearInterval(timer);
  report({ startLagP99Ms: startLagMs.p99, strayAnswers });
  port.close();
}

/**
 * Measures by how much the timers of this thread are late: what its machine, and its own work, keep from it.
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

if (parentPort !== null) await sendRecords(parentPort, workerData as string[]);
