// How long to wait, with jitter: many that fail together must not all come back together.

const JITTER = 0.2;

/**
 * `firstMs`, doubling to `capMs`, ± 20 %.
 * @param times  tries in a row that came to nothing, at least 1
 * @param random from 0 to 1
 */
export function doubledMs(firstMs: number, capMs: number, times: number, random: number): number {
  return jittered(Math.min(capMs, firstMs * 2 ** Math.min(times - 1, 10)), random);
}

/** `ms`, more or less by up to `share` of it. @param random from 0 to 1 */
export function jittered(ms: number, random: number, share = JITTER): number {
  return ms * (1 + share * (2 * random - 1));
}
