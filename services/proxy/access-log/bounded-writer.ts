// Lines to a stream that may be slow: written together, and dropped rather than waited for.
import type { Clock } from '../../shared/clock.ts';

// Lines that wait to be written together; beyond, they are not waited for any more.
const BATCH_LENGTH = 32_768;
const BATCH_MS = 50;
/** Characters that may wait for a slow reader, and as many again are on their way to it. */
export const MAX_PENDING_LENGTH = 1_048_576;
/** At the end a slow reader has so long to take what it has not yet. */
export const LAST_LINES_WITHIN_MS = 2000;

/** What is needed of a stream: of one whose `write` does not block, as standard output is where it is a pipe or a socket. */
export type LineStream = {
  /** False when nothing more should be written before `drain`; calls `onTaken` when the reader has all of it, or has gone. */
  write(text: string, onTaken?: () => void): boolean;
  on(event: 'drain' | 'error', listener: () => void): unknown;
};

export class BoundedWriter {
  /** Lines that found no room since the start. */
  dropped = 0;
  readonly #stream: LineStream;
  readonly #clock: Pick<Clock, 'after'>;
  #pending = '';
  #isWaiting = false;
  #isBroken = false;

  constructor(stream: LineStream, clock: Pick<Clock, 'after'>) {
    this.#stream = stream;
    this.#clock = clock;
    stream.on('drain', () => {
      this.#isWaiting = false;
      this.flush();
    });
    // The reader has gone: no reason to stop serving.
    stream.on('error', () => {
      this.#isBroken = true;
      this.#pending = '';
    });
  }

  /** Whether the next line would find room. */
  get hasRoom(): boolean {
    return !this.#isBroken && this.#pending.length < MAX_PENDING_LENGTH;
  }

  /** @param line with the line feed at its end */
  add(line: string): void {
    if (!this.hasRoom) {
      this.dropped += 1;
      return;
    }
    if (this.#pending === '') this.#clock.after(BATCH_MS, () => this.flush());
    this.#pending += line;
    if (this.#pending.length >= BATCH_LENGTH) this.flush();
  }

  /** Writes all that waits; resolves when the reader has it, or has gone, or takes too long. No line may be added any more. */
  close(): Promise<void> {
    const rest = this.#pending;
    this.#pending = '';
    return new Promise((resolve) => {
      if (this.#isBroken) return resolve();
      const cancel = this.#clock.after(LAST_LINES_WITHIN_MS, resolve);
      this.#stream.write(rest, () => {
        cancel();
        resolve();
      });
    });
  }

  /** Writes what waits, unless the stream is still busy with what it has. */
  flush(): void {
    if (this.#isWaiting || this.#pending === '') return;
    const batch = this.#pending;
    this.#pending = '';
    this.#isWaiting = !this.#stream.write(batch);
  }
}
