// pure · what comes in on one client connection: packets are taken in turn with others, the rest waits here or unread.
// On the data path. Must never leave a socket paused that is to be read again.
import type { Clock } from '../../shared/clock.ts';
import { DEFAULT_MAX_FRAME_BYTES } from '../../shared/framing.ts';
import type { Packet } from '../../shared/packet.ts';
import { PacketReader } from '../../shared/packet-reader.ts';
import type { Connection } from '../network/network.ts';
import type { PacketSource, ReadTurns } from './read-turns.ts';

// With a read of 16 KiB on top it is at most 32 KiB.
const MAX_HELD_BYTES = 16_384;
// Each chunk has what came before it copied once more.
const MAX_HELD_CHUNKS = 64;
// A read that is thrown away costs as much as some packets.
const DISCARD_COST_PACKETS = 4;

/** Who takes the packets. */
export type IntakeOwner = {
  readonly isClosed: boolean;
  /** Nothing more is taken. */
  readonly isClosing: boolean;
  /** So much is to be replied to, or waits to be sent, that nothing may be taken for now. */
  readonly isOverdrawn: boolean;
  /** Enough of that has gone. */
  readonly isRelieved: boolean;
  /** The peer does not take its replies. */
  readonly isUnread: boolean;
  onPacket(packet: Packet, nowMs: number): void;
  /** What could be taken has been taken. */
  onTaken(): void;
};

export class Intake implements PacketSource {
  line: PacketSource['line'] = 'none';
  nextInLine: PacketSource | null = null;
  /** When the packet that is still incomplete began, monotonic ms; 0 when there is none. */
  partialSinceMs = 0;
  /** When the last bytes came, or were taken, monotonic ms. */
  lastHeardMs: number;
  readonly #reader: PacketReader;
  readonly #owner: IntakeOwner;
  readonly #socket: Pick<Connection, 'pause' | 'resume'>;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #turns: ReadTurns;
  #isTaking = false;
  #isWaiting = false;
  #needsRelief = false;
  #isPaused = false;
  #heldChunks = 0;

  constructor(
    owner: IntakeOwner,
    socket: Pick<Connection, 'pause' | 'resume'>,
    clock: Pick<Clock, 'now'>,
    turns: ReadTurns,
  ) {
    this.#owner = owner;
    this.#socket = socket;
    this.#reader = new PacketReader(DEFAULT_MAX_FRAME_BYTES);
    this.#clock = clock;
    this.#turns = turns;
    this.lastHeardMs = clock.now();
  }

  /** Packets are being taken right now. */
  get isTaking(): boolean {
    return this.#isTaking;
  }

  /** More may have come than was taken. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  get isMidPacket(): boolean {
    return this.#reader.isMidPacket;
  }

  /** The own bytes of the request that was taken last. @see PacketReader.takeWire */
  takeWire(): string {
    return this.#reader.takeWire();
  }

  onChunk(chunk: Buffer): void {
    const nowMs = this.#clock.now();
    this.lastHeardMs = nowMs;
    if (this.#owner.isClosing) {
      // It is read so that the peer gets the last reply, and in turn like anything else.
      this.#pause();
      this.#turns.join(this, true);
      return;
    }
    const limit = this.#isWaiting || this.#owner.isOverdrawn ? 0 : this.#turns.allowance(this);
    if (limit === 0) {
      this.#hold(chunk);
      return;
    }
    const whole = this.#reader.takeWhole(chunk);
    if (whole === null) {
      this.#reader.feed(chunk);
      this.#take(limit, nowMs);
      return;
    }
    this.#isTaking = true;
    this.#owner.onPacket(whole, nowMs);
    this.#isTaking = false;
    this.#turns.spend(1);
    this.#owner.onTaken();
  }

  get isReady(): boolean {
    if (this.#owner.isClosed) return false;
    return this.#owner.isClosing ? this.#isPaused : this.#isWaiting && !this.#needsRelief;
  }

  takeSome(limit: number): void {
    if (this.#owner.isClosing) {
      this.#turns.spend(DISCARD_COST_PACKETS);
      this.resume();
      return;
    }
    this.#isWaiting = false;
    // It was not listened to meanwhile.
    this.lastHeardMs = this.#clock.now();
    this.#take(limit, this.lastHeardMs);
  }

  /** Some replies have gone: takes packets again, in turn, if they were what it waited for. */
  relieve(): void {
    if (!this.#needsRelief || !this.#owner.isRelieved) return;
    this.#needsRelief = false;
    this.#pause();
    this.#turns.join(this, true);
  }

  /** Nothing more will be taken. */
  stop(): void {
    this.partialSinceMs = 0;
    this.#isWaiting = false;
    this.#needsRelief = false;
  }

  /** Reads on. */
  resume(): void {
    this.#heldChunks = 0;
    this.#unpause();
  }

  #unpause(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  #take(limit: number, nowMs: number): void {
    const reader = this.#reader;
    let taken = 0;
    let isAtEnd = false;
    this.#isTaking = true;
    while (taken < limit && !this.#owner.isClosing && !this.#owner.isOverdrawn) {
      const packet = reader.next();
      if (packet === null) {
        if (!reader.isMidPacket) this.partialSinceMs = 0;
        else if (taken > 0 || this.partialSinceMs === 0) this.partialSinceMs = nowMs;
        isAtEnd = true;
        break;
      }
      taken += 1;
      this.#owner.onPacket(packet, nowMs);
    }
    this.#isTaking = false;
    this.#turns.spend(taken);
    if (!this.#owner.isClosing) {
      if (isAtEnd) this.resume();
      else this.#wait(true);
    }
    this.#owner.onTaken();
  }

  #hold(chunk: Buffer): void {
    this.#reader.feed(chunk);
    this.#reader.keep();
    this.#heldChunks += 1;
    if (!this.#isWaiting) this.#wait(false);
    else if (this.#isFull) this.#pause();
  }

  // While it is we who do not read, the peer is not slow.
  #wait(hasHadShare: boolean): void {
    this.#isWaiting = true;
    this.partialSinceMs = 0;
    this.#reader.keep();
    this.#needsRelief = this.#owner.isOverdrawn;
    if (!this.#needsRelief) this.#turns.join(this, hasHadShare);
    // A paused socket does not notice that its peer has left. That is no matter for the milliseconds until its turn, and
    // where replies wait to be sent their failure tells. Open requests may take seconds: until then some is read and held.
    if (!this.#needsRelief || this.#owner.isUnread || this.#isFull) this.#pause();
    else this.#unpause();
  }

  get #isFull(): boolean {
    return this.#reader.untakenBytes >= MAX_HELD_BYTES || this.#heldChunks >= MAX_HELD_CHUNKS;
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#socket.pause();
  }
}
