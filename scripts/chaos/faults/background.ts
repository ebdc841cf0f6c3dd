// shell · work that goes on behind a fault's back until it is healed or the run ends.
// Must never end without its own clean-up, or take the process down with an error nobody waits for.

/** Begins at once. */
export class Background {
  /** Resolves when the work has called `onBegun`; rejects with what ended it before. */
  readonly begun: Promise<void>;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #error: unknown = null;

  /** @param work ends soon after its signal fires; that it then throws is no error */
  constructor(runSignal: AbortSignal, work: (signal: AbortSignal, onBegun: () => void) => Promise<void>) {
    const signal = AbortSignal.any([runSignal, this.#stop.signal]);
    const begun = Promise.withResolvers<void>();
    this.begun = begun.promise;
    // Who doesn't wait for the beginning finds it in `error`.
    this.begun.catch(() => {});
    this.#done = work(signal, begun.resolve).catch((error: unknown) => {
      if (!signal.aborted) this.#error = error;
      begun.reject(error);
    });
  }

  /** What ended it before its time; null: nothing. */
  get error(): unknown {
    return this.#error;
  }

  /** Ends it, and waits for its clean-up. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}
