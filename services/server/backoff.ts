// How long a session waits before it tries again.
import { doubledMs } from '../shared/backoff.ts';

const FIRST_MS = 50;
const CAP_MS = 100;
const SHORT_LIVED_CAP_MS = 1000;

/** The wait after a refusal that trying again at once can't change. */
export const REFUSED_MS = 5_000;

/**
 * 50 ms, doubling to 100 ms, each ± 20 %: once a proxy that was started again listens, its whole table is to be back at once.
 * @param failures tries in a row that came to nothing, at least 1
 * @param random   from 0 to 1
 * @param wasShort the proxy took the registration and hung up: it may be of the old kind, so the waits double to 1 s
 */
export function backoffMs(failures: number, random: number, wasShort = false): number {
  const capMs = wasShort ? SHORT_LIVED_CAP_MS : CAP_MS;
  return doubledMs(FIRST_MS, capMs, failures, random);
}

/** The longest wait of a server that another one with its id has replaced. */
export const REPLACED_CAP_MS = 60_000;

/**
 * 5 s, doubling to 60 s, each ± 20 %: two servers with one id would otherwise replace each other all the time.
 * @param times  how often it was replaced, at least 1
 * @param random from 0 to 1
 */
export function replacedMs(times: number, random: number): number {
  return doubledMs(REFUSED_MS, REPLACED_CAP_MS, times, random);
}
