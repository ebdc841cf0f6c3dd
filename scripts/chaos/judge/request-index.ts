// pure · the requests of a run, sorted once and found by time, policy and server.
// Must never hold requests that were dropped: most were never sent, and only `unansweredAtEnd` says anything of the proxy.
import type { Outcome, Recording, RequestRow } from '../journal.ts';

export type RequestIndex = {
  /** Every request that was sent, by intended start. */
  sent: readonly RequestRow[];
  byPolicy: ReadonlyMap<string, readonly RequestRow[]>;
  /** The answered ones (ok, wrong) by the id of the server that answered. */
  byServer: ReadonlyMap<string, readonly RequestRow[]>;
};

export type FirstAttempt = {
  outcome: Outcome;
  detail: string;
  sentMs: number;
  endMs: number;
  openedMs: number | null;
};

const NONE: readonly RequestRow[] = [];
const indexes = new WeakMap<readonly RequestRow[], RequestIndex>();

/** The index of a recording's requests; made at the first call. */
export function requestIndex({ requests }: Recording): RequestIndex {
  const known = indexes.get(requests);
  if (known !== undefined) return known;
  const sent = requests.filter(({ outcome }) => outcome !== 'dropped').sort((a, b) => a.dueMs - b.dueMs);
  const answered = sent.filter(({ outcome }) => outcome === 'ok' || outcome === 'wrong');
  const made: RequestIndex = {
    sent,
    byPolicy: Map.groupBy(sent, ({ policy }) => policy),
    byServer: Map.groupBy(answered, ({ detail }) => detail),
  };
  indexes.set(requests, made);
  return made;
}

/** The requests sent that were due from `fromMs` to `toMs`, both included; of one policy or of all. */
export function requestsIn(
  recording: Recording,
  fromMs: number,
  toMs: number,
  policy?: string,
): readonly RequestRow[] {
  const { sent, byPolicy } = requestIndex(recording);
  return dueIn(policy === undefined ? sent : (byPolicy.get(policy) ?? NONE), fromMs, toMs);
}

/** Those that a server answered and that were due from `fromMs` to `toMs`, both included. */
export function answersOf(
  recording: Recording,
  serverId: string,
  fromMs: number,
  toMs: number,
): readonly RequestRow[] {
  return dueIn(requestIndex(recording).byServer.get(serverId) ?? NONE, fromMs, toMs);
}

function dueIn(rows: readonly RequestRow[], fromMs: number, toMs: number): readonly RequestRow[] {
  const from = firstWhere(rows, (dueMs) => dueMs >= fromMs);
  return rows.slice(
    from,
    Math.max(
      from,
      firstWhere(rows, (dueMs) => dueMs > toMs),
    ),
  );
}

function firstWhere(rows: readonly RequestRow[], isThere: (dueMs: number) => boolean): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isThere((rows[middle] as RequestRow).dueMs)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Requests that were sent and had no reply when the load ended, though it was not cut short: then it waits for replies
 * before it ends. Empty for a run that was cut short, where nobody waited for them.
 */
export function unansweredAtEnd({ requests, cutShort }: Recording): readonly RequestRow[] {
  if (cutShort !== null) return NONE;
  return requests.filter(
    ({ outcome, detail, attempts }) => outcome === 'dropped' && detail === 'interrupted' && attempts > 0,
  );
}

/** Answered right, at once: no attempt failed. */
export function wentWell({ outcome, first }: RequestRow): boolean {
  return outcome === 'ok' && (first === null || first.outcome === 'ok');
}

/** From when the request was due until it ended. */
export function spanOf(request: RequestRow): { fromMs: number; toMs: number } {
  return { fromMs: request.dueMs, toMs: endMsOf(request) };
}

/** When the request ended. */
export function endMsOf({ dueMs, latencyMs }: RequestRow): number {
  return dueMs + latencyMs;
}

/** The request's first attempt; without a second one, the request itself. */
export function firstAttemptOf(request: RequestRow): FirstAttempt {
  if (request.first !== null) return request.first;
  const { outcome, detail, dueMs } = request;
  return { outcome, detail, sentMs: dueMs, endMs: endMsOf(request), openedMs: dueMs };
}
