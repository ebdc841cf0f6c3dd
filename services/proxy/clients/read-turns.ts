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
// Those that have taken about as much wait in one line, in the order in which they came.
const STEP = 16;
// Where some have been due for so many turns without end, new connections come faster than they are served: from then on
// those in the lines get each fourth place.
const CROWDED_TURNS = 256;
const DUE_IN_A_ROW = 3;
// No connection is so many steps ahead of the one that is served.
const LINES = 16;

/** A connection that packets are taken from. */
export type PacketSource = {
  /** Written by the turns. */
  isInLine: boolean;
  /** What it has taken while others waited, in packets; what each of them has had is its fair share. Written by the turns. */
  used: number;
  /** It has something to take, and may be taken from. */
  readonly isReady: boolean;
  /** Takes up to `limit` packets; what it took has been reported with `spend` when this returns. */
  takeSome(limit: number): void;
};

/**
 * Shares each turn among the connections by self-clocked fair queueing (S. J. Golestani, "A self-clocked fair queueing scheme
 * for broadband applications", 1994): of those that wait, one that has used the least is served next, and what it has used
 * is the share that all have had. Who has not used its own up, having sent little, is due at once. Nothing is counted while
 * nobody waits.
 */
export class ReadTurns {
  readonly #soon: (work: () => void) => void;
  readonly #serve = (): void => this.#nextTurn();
  readonly #due = new Fifo<PacketSource>();
  /** By how many steps they have used, modulo the number of lines. */
  readonly #lines = Array.from({ length: LINES }, () => new Fifo<PacketSource>());
  /** How many steps each of those that wait has used, at least. */
  #step = 1;
  #waiting = 0;
  #dueInARow = 0;
  #crowdedTurns = 0;
  #left = PACKETS_A_TURN;
  #isTurnBegun = false;

  /** @param soon runs its argument at the end of this turn of the event loop */
  constructor(soon: (work: () => void) => void) {
    this.#soon = soon;
  }

  /** How many packets a connection may take at once; 0 when it has to `join` those that wait. */
  allowance(source: PacketSource): number {
    if (source.isInLine) return 0;
    return this.#waiting === 0 || this.#isDue(source) ? Math.min(this.#left, PACKETS_AT_ONCE) : 0;
  }

  spend(source: PacketSource, packets: number): void {
    this.#left -= packets;
    this.charge(source, packets);
    if (this.#left < PACKETS_A_TURN - PACKETS_NOT_TOLD) this.#begin();
  }

  /** Has a connection wait for longer, as if it had taken so many packets more. */
  charge(source: PacketSource, packets: number): void {
    if (this.#waiting === 0) return;
    const share = this.#step * STEP;
    // Nobody is so far ahead that a line would come round to it too early.
    source.used = Math.min(Math.max(source.used, share) + packets, share + (LINES - 1) * STEP);
  }

  /** Has a connection taken from in a later turn; nothing changes where it waits already. */
  join(source: PacketSource): void {
    if (source.isInLine) return;
    source.isInLine = true;
    this.#waiting += 1;
    if (this.#isDue(source)) this.#due.push(source);
    else this.#lineAt(Math.floor(source.used / STEP)).push(source);
    this.#begin();
  }

  #isDue({ used }: PacketSource): boolean {
    return used < (this.#step + 1) * STEP;
  }

  #lineAt(step: number): Fifo<PacketSource> {
    return this.#lines[step % LINES] as Fifo<PacketSource>;
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
    while (this.#waiting > 0 && this.#left > floor) {
      const source = this.#next();
      source.isInLine = false;
      if (source.isReady) {
        const before = this.#left;
        source.takeSome(Math.min(PACKETS_AT_ONCE, before - floor));
        // Looking costs something too, also where nothing was whole.
        if (this.#left === before) this.#left -= 1;
      }
      this.#waiting -= 1;
    }
    this.#crowdedTurns = this.#due.length > 0 ? this.#crowdedTurns + 1 : 0;
    if (this.#waiting > 0) this.#begin();
    // What was used while others waited is forgotten with them.
    else this.#step += LINES;
  }

  #next(): PacketSource {
    const isOthers = this.#crowdedTurns > CROWDED_TURNS && this.#dueInARow >= DUE_IN_A_ROW;
    const due = isOthers && this.#waiting > this.#due.length ? undefined : this.#due.shift();
    this.#dueInARow = due === undefined ? 0 : this.#dueInARow + 1;
    return due ?? this.#least();
  }

  #least(): PacketSource {
    let source = this.#lineAt(this.#step).shift();
    while (source === undefined) {
      this.#step += 1;
      source = this.#lineAt(this.#step).shift();
    }
    return source;
  }
}
