// How long to wait before the next try, with jitter: many that fail together must not all come back together.

const JITTER = 0.2;

/**
 * `firstMs`, doubling to `capMs`, ± 20 %.
 * @param times  tries in a row that came to nothing, at least 1
 * @param random from 0 to 1
 */
export function doubledMs(firstMs: number, capMs: number, times: number, random: number): number {
  return jittered(Math.min(capMs, firstMs * 2 ** Math.min(times - 1, 10)), random);
}

/** `ms` ± 20 %. */
export function jittered(ms: number, random: number): number {
  return ms * (1 + JITTER * (2 * random - 1));
}
