// The thread of a worker: how the keeper starts one, and what runs in it.
import { setDefaultHighWaterMark } from 'node:stream';
import { finished } from 'node:stream/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type Clock, systemClock } from '../../shared/clock.ts';
import { LAST_LINES_WITHIN_MS } from '../access-log/bounded-writer.ts';
import { openSystemWorld } from '../core/system-world.ts';
import { every } from '../core/timers.ts';
import { HIGH_WATER_BYTES } from '../network/accepted-socket.ts';
import type { TicketKeys } from '../network/tls-network.ts';
import type { ProxyOptions } from '../options.ts';
import type { Launch } from './crew.ts';
import type { ToKeeper, ToWorker } from './messages.ts';
import { createWorker, type WorkerStart } from './worker.ts';

const SECOND_MS = 1000;
const NS_PER_MS = 1_000_000;

type ThreadData = {
  worker: WorkerStart;
  /** Without what can't be handed over: the token, which is the keeper's, and the URL as an object. */
  options: Omit<ProxyOptions, 'traceEndpoint'> & { traceEndpoint: string | null };
  /** When the keeper's monotonic clock was 0, on the system's. */
  zeroMs: number;
};

/** What a thread is told beside what its worker is. */
type ToThread = ToWorker | { kind: 'ticket-key'; key: Uint8Array };

/**
 * Starts workers of a proxy with these options in threads of this process.
 * @param tickets the keys of all workers' session tickets: a returning client comes to any of them
 */
export function launchThreads(options: ProxyOptions, tickets: TicketKeys): Launch {
  const { traceEndpoint } = options;
  return (worker, onMessage, onGone) => {
    const data: ThreadData = {
      worker,
      options: { ...options, registerToken: null, traceEndpoint: traceEndpoint?.href ?? null },
      zeroMs: zeroMs(),
    };
    const thread = new Worker(import.meta.filename, { workerData: data, name: `worker ${worker.index}` });
    const post = (message: ToThread): void => thread.postMessage(message);
    const stopTickets = tickets.listen((key) => post({ kind: 'ticket-key', key }));
    let why = 'it has stopped';
    thread.on('message', onMessage);
    thread.on('error', (error) => {
      why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    thread.on('exit', () => {
      stopTickets();
      onGone(why);
    });
    // What it has written of requests goes through this thread.
    const written = finished(thread.stdout);
    const end = async (): Promise<void> => {
      await thread.terminate();
      await Promise.race([written, systemClock.sleep(LAST_LINES_WITHIN_MS)]);
    };
    return { post, end };
  };
}

function zeroMs(): number {
  return Number(process.hrtime.bigint()) / NS_PER_MS - performance.now();
}

async function runThread({ worker, options: given, zeroMs: keeperZeroMs }: ThreadData): Promise<void> {
  const { traceEndpoint } = given;
  const options = { ...given, traceEndpoint: traceEndpoint === null ? null : new URL(traceEndpoint) };
  setDefaultHighWaterMark(false, HIGH_WATER_BYTES);
  // Each thread's clock begins with it; times in messages are those of the keeper's.
  const aheadMs = zeroMs() - keeperZeroMs;
  const clock: Clock = { ...systemClock, now: () => performance.now() + aheadMs };
  const post = (message: ToKeeper): void => parentPort?.postMessage(message);
  const log = (line: (ToKeeper & { kind: 'log' })['line']): void => post({ kind: 'log', line });
  const system = await openSystemWorld(options, log, worker.boot, clock, aheadMs);
  const { receive } = createWorker(options, worker, system.world, post, {
    accessLogDropped: system.accessLogDropped,
    close: system.close,
  });
  every(clock, SECOND_MS, () => system.nextSecond());
  parentPort?.on('message', (message: ToThread) => {
    if (message.kind === 'ticket-key') system.tickets.follow(message.key);
    else receive(message);
  });
  post({ kind: 'ready' });
}

if (!isMainThread) await runThread(workerData as ThreadData);
