// How many connections at once a server gets that takes one request on each: after TCP's slow start and congestion avoidance (RFC 5681), and TCP Vegas, which stops growing when answers slow down.

const MAX_CONNECTIONS = 256;
// Answers that take twice as long as usual have waited for each other: more at once would only wait longer.
const SLOWED_DOWN = 2;
// Of each answer that did not have to wait, so much goes into what is taken for the usual time.
const WEIGHT = 0.1;
const CEILING_LASTS_MS = 60_000;

/**
 * Begins with few, for a server with a short accept queue and one thread must not be flooded. A whole round of answers that
 * are no slower doubles it; one after the accept queue was full grows by one, and stays below what was too much.
 */
export class ConnectionLimit {
  #value: number;
  #goodAnswers = 0;
  /** How long an answer takes while there is room for more. */
  #usualMs = Number.POSITIVE_INFINITY;
  #ceiling = MAX_CONNECTIONS;
  #ceilingUntilMs = Number.NEGATIVE_INFINITY;

  constructor(initial: number) {
    this.#value = initial;
  }

  get value(): number {
    return this.#value;
  }

  /**
   * The server has answered.
   * @param tookMs  from the hand-over to the answer
   * @param wasFull as many as allowed were under way: whether more would serve is not known otherwise
   */
  onAnswer(tookMs: number, wasFull: boolean, nowMs: number): void {
    if (wasFull || tookMs < this.#usualMs) this.#usualMs = Math.min(this.#usualMs, tookMs);
    else this.#usualMs += (tookMs - this.#usualMs) * WEIGHT;
    if (!wasFull || tookMs > this.#usualMs * SLOWED_DOWN) {
      this.#goodAnswers = 0;
      return;
    }
    this.#goodAnswers += 1;
    if (this.#goodAnswers < this.#value) return;
    this.#goodAnswers = 0;
    const isLimited = nowMs < this.#ceilingUntilMs;
    const grown = isLimited ? this.#value + 1 : this.#value * 2;
    this.#value = Math.min(grown, isLimited ? Math.max(this.#value, this.#ceiling) : MAX_CONNECTIONS);
  }

  /** A handshake stayed open while others of ours were served: its accept queue is full. */
  onCongestion(nowMs: number): void {
    this.#goodAnswers = 0;
    this.#ceiling = Math.max(1, this.#value - 1);
    this.#ceilingUntilMs = nowMs + CEILING_LASTS_MS;
    this.#value = Math.max(1, Math.floor(this.#value / 2));
  }
}
