// shell · one call to the Docker Engine: a deadline, and an error that a person understands.
// Must never forgive by itself: whoever calls says which refusals are worth a second look, and what was to be reached.

/** Long enough for a slow engine, short enough for a run that has to heal. */
export const CALL_TIMEOUT_MS = 10_000;

/** A call that the engine refused or didn't answer. */
export class EngineError extends Error {
  override name = 'EngineError';
  /** The HTTP status; null when there was no answer. */
  readonly status: number | null;

  constructor(message: string, status: number | null, cause: unknown) {
    super(message, { cause });
    this.status = status;
  }
}

/**
 * Runs a call to its end.
 * @param what for the error: `server-p1-1 could not be paused`
 * @throws EngineError with one sentence
 */
export async function callEngine<Answer>(
  what: string,
  make: (abortSignal: AbortSignal) => Promise<Answer>,
  timeoutMs = CALL_TIMEOUT_MS,
): Promise<Answer> {
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    return await make(deadline);
  } catch (error) {
    const { statusCode, json, message } = error as Error & { statusCode?: number; json?: unknown };
    if (deadline.aborted) throw new EngineError(`${what}: no answer in ${timeoutMs / 1000} s.`, null, error);
    const reason = (json as { message?: string } | null | undefined)?.message ?? message;
    throw new EngineError(`${what}: ${reason.trim().replace(/\.$/, '')}.`, statusCode ?? null, error);
  }
}

/**
 * A call whose refusal is no failure when what it was to reach is already so: killing the dead, pausing the paused.
 * The status alone doesn't tell (409 is both "already paused" and "not running"), so it looks.
 * @param refusals the statuses after which to look
 */
export async function callForgivingly(
  what: string,
  refusals: readonly number[],
  isReached: () => Promise<boolean>,
  make: (abortSignal: AbortSignal) => Promise<unknown>,
  timeoutMs = CALL_TIMEOUT_MS,
): Promise<void> {
  try {
    await callEngine(what, make, timeoutMs);
  } catch (error) {
    if (!(error instanceof EngineError) || error.status === null) throw error;
    if (!refusals.includes(error.status) || !(await isReached())) throw error;
  }
}
