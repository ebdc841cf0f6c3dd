// pure · what a run tells while it goes on: where it stands, and what became of each request.
// Must never be asked for a record that nobody listens to: without an observer, a request costs nothing here.
import type { Exchange, Outcome } from './exchange.ts';

/** Where a run stands. */
export type LoadProgress = {
  elapsedMs: number;
  planned: number;
  /** How many have become due so far. */
  due: number;
  /** Those between two attempts as well. */
  inFlight: number;
  ok: number;
  wrong: number;
  errorReplies: number;
  lost: number;
  dropped: number;
};

/**
 * How something ended. `detail` is the server's id for `ok` and `wrong`, the code for `error`, the reason for `lost` and
 * `dropped`.
 */
type Ending = { outcome: Outcome['kind']; detail: string };

/**
 * One request that has ended. Epoch times are Unix milliseconds with a fraction, on the monotonic clock: they do not
 * follow the machine's clock when that is set after the start of this process.
 */
export type RequestRecord = Ending & {
  /** When it was meant to be sent. */
  dueEpochMs: number;
  /** From then to its end, whatever its outcome. */
  latencyMs: number;
  policy: string;
  /** How often it was sent; 0 when it was dropped before it was started. */
  attempts: number;
  /** The first of several attempts; null unless there were several. */
  first:
    | (Ending & {
        sentEpochMs: number;
        /** When it ended, in ms after the request was due. */
        endedMs: number;
        /** Since when its connection stood; null when it failed to connect, so that nothing was sent. */
        openedEpochMs: number | null;
      })
    | null;
};

/** Who is told of a run. Both are called from the generator's loop: what takes long there makes requests late. */
export type LoadObservers = {
  /** Called about five times a second, and at the end. */
  onProgress?: (progress: LoadProgress) => void;
  /** Called once for each request that became due, when it has ended; `dropped` ones included. */
  onRequest?: (record: RequestRecord) => void;
};

/** What is known of a request at its end: an attempt, or the little there is of one that was dropped before. */
export type EndedRequest = Pick<Exchange, 'policyIndex' | 'intendedMs' | 'attempt' | 'first'>;

/**
 * @param endMs    monotonic
 * @param originMs when the monotonic clock began, as Unix milliseconds: `performance.timeOrigin`
 */
export function makeRecord(
  { intendedMs, attempt, first }: EndedRequest,
  policy: string,
  outcome: Outcome,
  endMs: number,
  originMs: number,
): RequestRecord {
  return {
    dueEpochMs: originMs + intendedMs,
    latencyMs: endMs - intendedMs,
    policy,
    ...endingOf(outcome),
    attempts: attempt,
    first: first && {
      ...endingOf(first.outcome),
      sentEpochMs: originMs + first.sentMs,
      endedMs: first.endMs - intendedMs,
      openedEpochMs: first.openedMs === null ? null : originMs + first.openedMs,
    },
  };
}

function endingOf(outcome: Outcome): Ending {
  switch (outcome.kind) {
    case 'ok':
    case 'wrong':
      return { outcome: outcome.kind, detail: outcome.serverId };
    case 'error':
      return { outcome: outcome.kind, detail: outcome.code };
    case 'lost':
    case 'dropped':
      return { outcome: outcome.kind, detail: outcome.reason };
    default:
      return outcome satisfies never;
  }
}
