// The answers of one connection that are held back, in order. Only with --faults.
import type net from 'node:net';
import { sayGoodbye, waitForReader } from '../answer.ts';

/** So many answers may wait on one connection; then nothing more is read from it until some have gone. */
const MAX_HELD = 4096;

type Held = { atMs: number; text: string };

/** Holds answers back by a delay that may change while they wait. */
export class HeldAnswers {
  readonly #socket: net.Socket;
  readonly #delayMs: () => number;
  #held: Held[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isEnding = false;
  #isFull = false;

  /** @param delayMs asked again at each `release`, so that a fault that ends releases what it held */
  constructor(socket: net.Socket, delayMs: () => number) {
    this.#socket = socket;
    this.#delayMs = delayMs;
    // A peer that half-closes behind its request gets its answer late, but it does get it.
    socket.allowHalfOpen = true;
    socket.on('end', () => this.end(''));
    socket.on('close', () => {
      clearTimeout(this.#timer);
      this.#held = [];
    });
  }

  /** Appends an answer; `release` sends it when it is due. */
  add(text: string): void {
    if (this.#isEnding) return;
    this.#held.push({ atMs: performance.now(), text });
  }

  /** Reads nothing more, and says goodbye behind everything that is held back. Fine when it has ended already. */
  end(lastWords: string): void {
    if (this.#isEnding || this.#socket.destroyed) return;
    if (lastWords !== '') this.add(lastWords);
    this.#isEnding = true;
    this.#socket.removeAllListeners('data');
    this.#socket.resume();
    this.release();
  }

  /** Sends what is due, in one write, and comes back by itself for the rest. */
  release(): void {
    clearTimeout(this.#timer);
    const nowMs = performance.now();
    const delayMs = this.#delayMs();
    const firstLeft = this.#held.findIndex(({ atMs }) => atMs + delayMs > nowMs);
    const due = this.#held.splice(0, firstLeft === -1 ? this.#held.length : firstLeft);
    this.#write(due.map(({ text }) => text).join(''));
    const next = this.#held[0];
    if (next === undefined) return;
    this.#timer = setTimeout(() => this.release(), Math.ceil(next.atMs + delayMs - nowMs));
  }

  #write(text: string): void {
    const socket = this.#socket;
    if (this.#isEnding) {
      if (this.#held.length > 0) {
        if (text !== '') socket.write(text);
      } else if (!socket.writableEnded) sayGoodbye(socket, text);
      return;
    }
    const isFull = this.#held.length >= MAX_HELD;
    if (isFull) socket.pause();
    else if (this.#isFull) socket.resume();
    this.#isFull = isFull;
    const isTaken = text === '' || socket.write(text);
    // Answers fall due while the peer reads nothing: one wait is enough.
    if (!isTaken && socket.listenerCount('drain') === 0) waitForReader(socket);
  }
}
