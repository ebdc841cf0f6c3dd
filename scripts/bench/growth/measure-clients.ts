// shell · memory of the proxy by open client connections that say nothing.
// Must never compare proxies that have done different work: each has answered as many requests as the others.
import { fileURLToPath } from 'node:url';
import { residentBytes } from '../../kit/process-cost.ts';
import type { Progress } from '../../kit/progress.ts';
import { spreadOf } from '../statistics.ts';
import { bytesPerClient } from './arithmetic.ts';
import { DEFAULT_HEALTH_INTERVAL_MS, policyNames, SIX_SERVERS } from './cases.ts';
import type { ClientCalls } from './idle-clients.ts';
import { notesOnClients } from './notes.ts';
import type { ClientsResult } from './result.ts';
import { startSubject } from './subject.ts';
import { pause } from './waiting.ts';
import { startWorker, type Worker } from './worker-calls.ts';

const CLIENTS = fileURLToPath(new URL('idle-clients.ts', import.meta.url));
const OPEN_MS = 120_000;
const CONNECTED_MS = 5_000;
const LOOK_MS = 250;
/** Memory is at rest when all looks of this time lie within `REST_SHARE` of each other. */
const REST_LOOKS = 9;
const REST_SHARE = 0.01;
const REST_DEADLINE_MS = 20_000;

type Reading = { residentBytes: number; connected: number; isSettled: boolean };

/** @param counts numbers of clients; each repetition has a fresh proxy for each of them, in turn */
export async function measureClients(
  counts: readonly number[],
  repetitions: number,
  progress: Progress,
): Promise<ClientsResult[]> {
  const sorted = [...new Set(counts)].sort((a, b) => a - b);
  const most = sorted.at(-1) ?? 0;
  const readings = new Map<number, Reading[]>(sorted.map((clients) => [clients, []]));
  for (let repetition = 1; repetition <= repetitions; repetition += 1) {
    for (const clients of sorted) {
      progress.phase(`${clients} idle clients, ${repetition} of ${repetitions}`);
      readings.get(clients)?.push(await readOnce(clients, most, progress.signal));
    }
  }
  const fewest = sorted[0] ?? 0;
  const bytesOf = (clients: number): number[] =>
    (readings.get(clients) ?? []).map((each) => each.residentBytes);
  return [...readings].map(([clients, each]) => {
    const connected = Math.min(...each.map((reading) => reading.connected));
    const isSettled = each.every((reading) => reading.isSettled);
    return {
      clients,
      connected,
      residentBytes: spreadOf(bytesOf(clients)),
      bytesPerClient:
        clients === fewest ? null : bytesPerClient(bytesOf(clients), clients, bytesOf(fewest), fewest),
      notes: notesOnClients({ clients, connected }, isSettled),
    };
  });
}

async function readOnce(clients: number, most: number, signal: AbortSignal): Promise<Reading> {
  const plan = { ...SIX_SERVERS, healthIntervalMs: DEFAULT_HEALTH_INTERVAL_MS, clients };
  const subject = await startSubject(plan, signal);
  let worker: Worker<ClientCalls> | null = null;
  try {
    worker = await startWorker<ClientCalls>(CLIENTS, signal);
    const argument = {
      proxyPort: subject.port,
      clients,
      requestsEach: Math.ceil(most / clients),
      policies: policyNames(SIX_SERVERS.policies),
    };
    await worker.call('open', argument, OPEN_MS);
    const memory = await settledBytes(subject.proxyPid, signal);
    const { connected } = await worker.call('connected', {}, CONNECTED_MS);
    return { ...memory, connected };
  } finally {
    await worker?.stop();
    await subject.stop();
  }
}

// There is no way to have the proxy collect its garbage now, so this waits until its memory no longer moves.
async function settledBytes(pid: number, signal: AbortSignal): Promise<Omit<Reading, 'connected'>> {
  const endMs = performance.now() + REST_DEADLINE_MS;
  const looks: number[] = [];
  while (performance.now() < endMs) {
    looks.push(residentBytes([pid]));
    const spread = spreadOf(looks.slice(-REST_LOOKS));
    if (
      looks.length >= REST_LOOKS &&
      spread !== null &&
      spread.max - spread.min <= spread.median * REST_SHARE
    ) {
      return { residentBytes: spread.median, isSettled: true };
    }
    await pause(LOOK_MS, signal);
  }
  return { residentBytes: looks.at(-1) ?? Number.NaN, isSettled: false };
}
