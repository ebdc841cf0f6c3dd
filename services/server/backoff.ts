// pure · how long a session waits before it tries again. Control path of the server.
// Must never return the same wait to a whole cluster: that is what the jitter is for.

const FIRST_MS = 50;
const CAP_MS = 500;
const JITTER = 0.2;

/** The wait after a refusal that trying again at once can't change. */
export const REFUSED_MS = 5_000;

/**
 * 50 ms, doubling to 500 ms, each ± 20 %.
 * @param failures tries in a row that came to nothing, at least 1
 * @param random   from 0 to 1
 */
export function backoffMs(failures: number, random: number): number {
  return jittered(Math.min(CAP_MS, FIRST_MS * 2 ** Math.min(failures - 1, 10)), random);
}

/** `ms` ± 20 %. */
export function jittered(ms: number, random: number): number {
  return ms * (1 + JITTER * (2 * random - 1));
}
