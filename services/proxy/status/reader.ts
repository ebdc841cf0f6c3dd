// One reader of server-sent events, who may be slow.
import type { ServerResponse } from 'node:http';
import { printable } from '../../shared/printable.ts';
import type { ClusterEvent, EventLog } from './events.ts';

const LOOK_EVERY_MS = 15_000;
// What is taken is seen by the piece.
const PIECE_BYTES = 16_384;
const STILL_HERE = Buffer.from(': still here\n\n');

/**
 * Writes no faster than its reader takes, and keeps what waits: whoever writes looks at `isFull` first, so that little does. A
 * reader that takes nothing for 15 s is cut off within twice that; how slowly it takes does not matter.
 */
export class Reader {
  readonly #response: ServerResponse;
  #waiting: Buffer[] = [];
  #isFull = false;
  #hasTakenNothing = false;

  /**
   * @param onRoom called when all that was written has been taken
   * @param onGone called once, when it has left or is cut off
   */
  constructor(response: ServerResponse, onRoom: () => void, onGone: () => void) {
    this.#response = response;
    const looking = setInterval(() => this.#look(), LOOK_EVERY_MS);
    response.on('drain', () => {
      this.#isFull = false;
      this.#hasTakenNothing = false;
      this.#flush();
      if (!this.#isFull) onRoom();
    });
    response.on('close', () => {
      clearInterval(looking);
      this.#waiting = [];
      onGone();
    });
  }

  /** It has not taken yet what was written before. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Writes one or more whole events. */
  write(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#flush();
  }

  #flush(): void {
    while (!this.#isFull) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      if (next.length > PIECE_BYTES) this.#waiting.unshift(next.subarray(PIECE_BYTES));
      this.#isFull = !this.#response.write(next.subarray(0, PIECE_BYTES));
    }
  }

  #look(): void {
    if (this.#hasTakenNothing) this.#response.destroy();
    else if (this.#isFull) this.#hasTakenNothing = true;
    else this.write(STILL_HERE);
  }
}

/** One server-sent event, whose data is `data` as JSON; `id` is what its reader names it by. */
export function frame(name: string, data: object, id: string | null = null): Buffer {
  const head = id === null ? '' : `id: ${id}\n`;
  return Buffer.from(`${head}event: ${name}\ndata: ${printable(JSON.stringify(data))}\n\n`);
}

/**
 * Writes what has happened to the servers, until the reader is full: the rest stays in the log, which is bounded.
 * @param afterSeq what it has had last
 * @returns what it has had last now
 */
export function writeEvents(
  reader: Reader,
  events: EventLog,
  afterSeq: number,
  nameOf: (event: ClusterEvent) => string,
): number {
  if (reader.isFull) return afterSeq;
  let lastSeq = afterSeq;
  for (const event of events.since(afterSeq)) {
    lastSeq = event.seq;
    reader.write(frame(nameOf(event), event, events.idOf(event)));
    if (reader.isFull) break;
  }
  return lastSeq;
}
