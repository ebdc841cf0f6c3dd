// pure · what a client sends while it has to wait: taken in for a while yet, so that its leaving is noticed.
// Must never take in more than its limits, or leave a socket paused that is to be read again.
import type { Connection } from './network.ts';
import type { PacketReader } from './packet-reader.ts';

const MAX_BYTES = 65_536;
// Each chunk has what came before it copied once more.
const MAX_CHUNKS = 64;

/** Exists for as long as its client has to wait. */
export class HeldInput {
  readonly #reader: PacketReader;
  readonly #socket: Pick<Connection, 'pause' | 'resume'>;
  #chunks = 0;
  #isFull = false;

  /** @param reader holds what has been read and not been taken yet */
  constructor(reader: PacketReader, socket: Pick<Connection, 'pause' | 'resume'>) {
    this.#reader = reader;
    this.#socket = socket;
    reader.keep();
  }

  /** Takes a chunk in, unlooked at. Once there is no room for more, the socket is not read any further. */
  hold(chunk: Buffer): void {
    this.#reader.feed(chunk);
    this.#reader.keep();
    this.#chunks += 1;
    const hasRoom = this.#reader.untakenBytes < MAX_BYTES && this.#chunks < MAX_CHUNKS;
    if (hasRoom || this.#isFull) return;
    this.#isFull = true;
    this.#socket.pause();
  }

  /** Some of it has been looked at, and the client has to wait again. */
  restart(): void {
    this.#reader.keep();
    this.#chunks = 0;
  }

  /** All of it has been looked at: the socket is read again. */
  end(): void {
    if (this.#isFull) this.#socket.resume();
  }
}
