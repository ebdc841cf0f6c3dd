// Which connections may take packets now: one turn of the event loop takes a bounded number over all. On the data path.
import { Fifo } from '../../shared/fifo.ts';

// A packet costs from 3 µs (a refusal) to 10 µs (a request), so a turn is bounded to a few milliseconds.
const PACKETS_A_TURN = 512;
// The rest of a turn is for those that have just been heard.
const PACKETS_FROM_LINES = 256;
// So few taken in a turn are counted on in the next ones: to be told of its end costs as much as a packet.
const PACKETS_NOT_TOLD = 64;
// What one connection may take before others have had theirs.
const PACKETS_AT_ONCE = 16;

/** A connection that packets are taken from. */
export type PacketSource = {
  /** In which of the two lines it stands. Written by the turns. */
  line: 'none' | 'new' | 'old';
  /** It has something to take, and may be taken from. */
  readonly isReady: boolean;
  /** Takes up to `limit` packets; what it took has been reported with `spend` when this returns. */
  takeSome(limit: number): void;
};

/**
 * Shares each turn among the connections, after FQ-CoDel (RFC 8290, 4.1 and 4.2): one that sends little is served at once
 * or from the line of the new, one that sends without end waits in the line of the old. A source whose packets are all taken stays
 * in the line of the old until it comes up once more, or it would be new again with its next bytes.
 */
export class ReadTurns {
  readonly #soon: (work: () => void) => void;
  readonly #serve = (): void => this.#nextTurn();
  readonly #new = new Fifo<PacketSource>();
  readonly #old = new Fifo<PacketSource>();
  #left = PACKETS_A_TURN;
  #isTurnBegun = false;

  /** @param soon runs its argument at the end of this turn of the event loop */
  constructor(soon: (work: () => void) => void) {
    this.#soon = soon;
  }

  /** How many packets a connection may take at once; 0 when it has to `join` a line. */
  allowance(source: PacketSource): number {
    return source.line === 'none' ? Math.min(this.#left, PACKETS_AT_ONCE) : 0;
  }

  spend(packets: number): void {
    this.#left -= packets;
    if (this.#left < PACKETS_A_TURN - PACKETS_NOT_TOLD) this.#begin();
  }

  /**
   * Has a connection taken from in a later turn; nothing changes where it is in a line already.
   * @param hasHadShare packets of it were taken just now
   */
  join(source: PacketSource, hasHadShare: boolean): void {
    if (source.line !== 'none') return;
    this.#enter(source, hasHadShare ? 'old' : 'new');
    this.#begin();
  }

  #enter(source: PacketSource, line: 'new' | 'old'): void {
    source.line = line;
    (line === 'new' ? this.#new : this.#old).push(source);
  }

  #begin(): void {
    if (this.#isTurnBegun) return;
    this.#isTurnBegun = true;
    this.#soon(this.#serve);
  }

  #nextTurn(): void {
    this.#isTurnBegun = false;
    this.#left = PACKETS_A_TURN;
    const floor = PACKETS_A_TURN - PACKETS_FROM_LINES;
    while (this.#left > floor) {
      const source = this.#new.shift() ?? this.#old.shift();
      if (source === undefined) break;
      source.line = 'none';
      if (!source.isReady) continue;
      const before = this.#left;
      this.#enter(source, 'old');
      source.takeSome(Math.min(PACKETS_AT_ONCE, before - floor));
      // Looking costs something too, also where nothing was whole.
      if (this.#left === before) this.#left -= 1;
    }
    if (this.#new.length + this.#old.length > 0) this.#begin();
  }
}
