// shell · starts the load generator in a process of its own, reads what became of each request, and ends it.
// Must never share its fate with a Ctrl-C in the terminal: the run decides when the load ends.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { RequestRecord } from './exchange.ts';

const WORKER = fileURLToPath(new URL('./load-worker.ts', import.meta.url));
const FIRST_REQUEST_MS = 15_000;
const LAST_REPLIES_MS = 10_000;

export type LoadEnd = { startLagP99Ms: number; strayAnswers: number };
/** What the worker prints, a line each. */
export type WorkerLine = { request: RequestRecord } | { lagMs: number } | { end: LoadEnd };

export type LoadProcess = {
  /** Resolves with the intended time of the first request, ms since the epoch; rejects when there is none. */
  started: Promise<number>;
  /** Rejects when the generator ends before it is told to. */
  failed: Promise<never>;
  /** No request becomes due any more; resolves when the last ones have ended. */
  stop(): Promise<LoadEnd>;
  kill(): void;
};

/**
 * @param args      options of `npm run load`
 * @param onRequest gets every request when it has ended
 * @param onLag     told by how much the generator was late in the last 50 ms
 */
export function startLoad(
  args: readonly string[],
  onRequest: (request: RequestRecord) => void,
  onLag: (ms: number) => void = () => {},
): LoadProcess {
  const child = spawn(process.execPath, [WORKER, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const started = Promise.withResolvers<number>();
  const failed = Promise.withResolvers<never>();
  const ended = Promise.withResolvers<LoadEnd>();
  let complaint = '';
  let end: LoadEnd | null = null;
  let isStopping = false;
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2_000);
  });
  child.stdin.on('error', () => {});
  createInterface({ input: child.stdout }).on('line', (line) => {
    const parsed = parseLine(line);
    if (parsed === null) {
      fail(`said what nobody understands: ${line.slice(0, 100)}`);
      return;
    }
    if ('end' in parsed) {
      end = parsed.end;
      return;
    }
    if ('lagMs' in parsed) {
      onLag(parsed.lagMs);
      return;
    }
    started.resolve(parsed.request.dueEpochMs);
    onRequest(parsed.request);
  });
  const timer = setTimeout(() => fail('sent no request'), FIRST_REQUEST_MS);
  void started.promise.finally(() => clearTimeout(timer)).catch(() => {});
  const fail = (why: string): void => {
    const error = new Error(`The load generator ${why}. ${complaint}`.trim());
    started.reject(error);
    failed.reject(error);
    ended.reject(error);
  };
  child.on('error', (error) => fail(`could not be started: ${error.message}`));
  child.on('close', (code) => {
    if (end !== null && isStopping) ended.resolve(end);
    else fail(`ended by itself (exit code ${code})`);
  });
  for (const { promise } of [started, failed, ended]) promise.catch(() => {});
  return {
    started: started.promise,
    failed: failed.promise,
    stop: async () => {
      isStopping = true;
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), LAST_REPLIES_MS);
      return await ended.promise.finally(() => clearTimeout(late));
    },
    kill: () => child.kill('SIGKILL'),
  };
}

// The last line of a generator that was killed may be half a line.
function parseLine(line: string): WorkerLine | null {
  try {
    return JSON.parse(line) as WorkerLine;
  } catch {
    return null;
  }
}
