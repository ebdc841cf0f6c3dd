// pure · made-up requests for the sample recording.
// Must never draw on chance: a fixed generator gives the same requests each time.
import type { FaultRecord, RequestRow } from '../../scripts/chaos/journal.ts';

/** Server id of `server-p1-2`: made up, like a container's. */
export function sampleId(replica: string): string {
  let hash = 7;
  for (const character of replica) hash = (Math.imul(hash, 1_000_003) + character.charCodeAt(0)) >>> 0;
  return `${hash.toString(16).padStart(8, '0')}${((hash * 31) >>> 0).toString(16).padStart(8, '0')}`.slice(
    0,
    12,
  );
}

/** Numbers in [0, 1), always the same ones (mulberry32). */
function sameNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Evenly spaced requests to three policies with two servers each, which suffer from the faults. */
export function sampleRequests(rate: number, endMs: number, faults: readonly FaultRecord[]): RequestRow[] {
  const random = sameNumbers(1);
  const n = Math.floor((rate * endMs) / 1000);
  return Array.from({ length: n }, (_, index) => {
    const dueMs = (index * 1000) / rate;
    const policy = String((index % 3) + 1);
    const other = `server-p${policy}-${(Math.floor(index / 3) % 2) + 1}`;
    const fault = faults.find(({ injectMs, healMs }) => dueMs >= injectMs && dueMs < (healMs ?? endMs));
    return fault === undefined
      ? plain(dueMs, policy, other, random)
      : suffering(dueMs, policy, other, fault, random);
  });
}

function plain(dueMs: number, policy: string, server: string, random: () => number): RequestRow {
  const latencyMs = 0.9 + 0.5 * random() + 0.25 / (random() + 0.02) + (random() < 0.002 ? 30 * random() : 0);
  return { dueMs, latencyMs, policy, outcome: 'ok', detail: sampleId(server), attempts: 1, first: null };
}

function suffering(
  dueMs: number,
  policy: string,
  server: string,
  { kind, targets, injectMs }: FaultRecord,
  random: () => number,
): RequestRow {
  const sinceMs = dueMs - injectMs;
  const row = plain(dueMs, policy, server, random);
  if (kind === 'proxy-stop') return withoutProxy(row, sinceMs, random);
  if (!targets.includes(server)) return row;
  const sibling = sampleId(server.endsWith('1') ? `${server.slice(0, -1)}2` : `${server.slice(0, -1)}1`);
  if (kind === 'slow') return { ...row, latencyMs: 200 + row.latencyMs };
  if (kind === 'lie')
    return sinceMs < 640 && random() < 0.08 ? { ...row, outcome: 'wrong' } : { ...row, detail: sibling };
  const isUnnoticed = sinceMs < (kind === 'kill' || kind === 'restart' ? 30 : 1900);
  const hangs = kind === 'flap' ? sinceMs % 1000 < 200 : isUnnoticed;
  if (!hangs) return { ...row, detail: kind === 'flap' ? row.detail : sibling };
  if (kind === 'flap') return { ...row, latencyMs: 200 - (sinceMs % 1000) + row.latencyMs };
  return retried({ ...row, detail: sibling }, 500 + 20 * random());
}

function withoutProxy(row: RequestRow, sinceMs: number, random: () => number): RequestRow {
  if (sinceMs < 40) return { ...row, outcome: 'lost', detail: 'reset', latencyMs: 5 + 8 * random() };
  if (sinceMs < 250) return { ...row, outcome: 'error', detail: 'SHUTTING_DOWN', latencyMs: 1 + random() };
  if (sinceMs > 1100 && random() < 0.02) return { ...row, outcome: 'dropped', detail: 'late', latencyMs: 0 };
  return retried(row, 1420 - sinceMs + 40 * random());
}

function retried(row: RequestRow, extraMs: number): RequestRow {
  const first = {
    outcome: 'lost',
    detail: 'reset',
    sentMs: row.dueMs,
    endMs: row.dueMs + extraMs,
    openedMs: row.dueMs,
  } as const;
  return { ...row, attempts: 2, latencyMs: row.latencyMs + Math.max(extraMs, 1), first };
}
