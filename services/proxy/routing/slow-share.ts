// pure · whether a policy's answers take long by their nature, so that slowness is no reason to ask another server.

const SPAN_MS = 5000;
const MIN_ANSWERS = 5;
const SLOW_FROM_SHARE = 0.5;

/** Sampled answers of a policy's servers so far, and how many of them took longer than an attempt may. */
export type AnswerSample = { answers: number; slow: number };

/** Half of the answers of the last seconds being slow makes the policy slow. Asked off the data path only. */
export class SlowShare {
  #older: AnswerSample = { answers: 0, slow: 0 };
  #newer: AnswerSample = { answers: 0, slow: 0 };
  #newerAtMs = Number.NEGATIVE_INFINITY;

  /** @param soFar counters that only go up; servers that leave take theirs along, which counts as nothing known */
  isSlow(soFar: AnswerSample, nowMs: number): boolean {
    if (nowMs - this.#newerAtMs >= SPAN_MS) {
      this.#older = this.#newer;
      this.#newer = soFar;
      this.#newerAtMs = nowMs;
    }
    const answers = soFar.answers - this.#older.answers;
    const slow = soFar.slow - this.#older.slow;
    return answers >= MIN_ANSWERS && slow >= answers * SLOW_FROM_SHARE;
  }
}
