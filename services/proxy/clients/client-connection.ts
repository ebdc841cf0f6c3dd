// One accepted connection: packets in, taken in turn with other connections; replies out. On the data path.
import type { Clock } from '../../shared/clock.ts';
import type { ErrorCode } from '../../shared/error-codes.ts';
import type { SetMember } from '../../shared/intrusive-set.ts';
import {
  formatError,
  type Id,
  type Packet,
  type PacketFault,
  type RequestPacket,
  type SetupPacket,
  unknownType,
} from '../../shared/packet.ts';
import { endsStream, PacketReader } from '../../shared/packet-reader.ts';
import type { Connection, Receiver } from '../network/network.ts';
import { plainHost } from '../network/sources.ts';
import type { Sessions } from '../registration/sessions.ts';
import type { Forwarder } from '../routing/forwarder.ts';
import { type ReplySink, Request } from '../routing/request.ts';
import { NO_LINES } from '../routing/waiting/fair-queue.ts';
import type { PacketSource, ReadTurns } from './read-turns.ts';
import { ReplyQueue } from './reply-queue.ts';

/** As they are written, of packets that a client may not send. */
const TYPES = { answer: '2', error: '-1', 'legacy-probe': '-2', heartbeat: '3', leave: '4' };
const MAX_REFUSALS_IN_A_ROW = 100;
const LAST_REFUSAL = `The connection is closed: its last ${MAX_REFUSALS_IN_A_ROW} packets were all refused.`;
// How long a peer that was refused may take to read the refusal before the connection is cut.
const LINGER_MS = 1000;
// With a read of 16 KiB on top it is at most 32 KiB.
const MAX_HELD_BYTES = 16_384;
// Each chunk has what came before it copied once more.
const MAX_HELD_CHUNKS = 64;
// A read that is thrown away costs as much as some packets.
const DISCARD_COST_PACKETS = 4;
// Who has packets refused waits for those who send good ones: beside thousands that send nothing else, a fair share of the
// proxy would be some dozens of requests a second.
const REFUSAL_CHARGE_PACKETS = 3;

export type PacketHandlers = {
  forwarder: Pick<Forwarder, 'forward' | 'noteRefusal' | 'isDraining'>;
  registrar: {
    /** @param answer takes the line to answer with, at once or later */
    register(connection: ClientConnection, packet: SetupPacket, answer: (line: string) => void): void;
  };
  sessions: Pick<Sessions, 'onPacket' | 'onEnded' | 'has'>;
};

/** What all connections of a listener share. */
export type ConnectionContext = {
  clock: Clock;
  turns: ReadTurns;
  handlers: PacketHandlers;
  /** Called once for each connection, last. */
  onClosed(connection: ClientConnection): void;
};

export class ClientConnection implements ReplySink, Receiver, PacketSource, SetMember {
  readonly socket: Connection;
  /** Why it may only register a server: the places of clients are taken. null where it may ask as well. */
  readonly overload: string | null;
  /** When a sweep first came upon it, monotonic ms; 0 before. A connection for one request asks for no time of its own. */
  foundMs = 0;
  /** When the last bytes came, or were taken, monotonic ms; 0 before any have. */
  lastHeardMs = 0;
  /** When the packet that is still incomplete began, monotonic ms; 0 when there is none. */
  partialSinceMs = 0;
  isClosed = false;
  isClosing = false;
  hasSetUp = false;
  /** The source that it counts for; null where it is not counted. Written by the source limit. */
  source: string | null = null;
  place = -1;
  isInLine = false;
  used = 0;
  lines = NO_LINES;
  readonly #context: ConnectionContext;
  readonly #reader = new PacketReader();
  readonly #replies: ReplyQueue;
  #isTaking = false;
  /** More may have come than was taken. */
  #hasMore = false;
  /** What has come waits for replies to leave, not for a turn. */
  #needsRelief = false;
  /** A setup packet has no answer yet: what follows it may be for the server that it registers. */
  #isRegistering = false;
  #isPaused = false;
  #heldChunks = 0;
  #hasPeerEnded = false;
  #closesAfterChunk = false;
  #refusalsInARow = 0;

  /** @param overload why it may only register a server; null where it may ask as well */
  constructor(socket: Connection, overload: string | null, context: ConnectionContext) {
    this.socket = socket;
    this.overload = overload;
    this.#context = context;
    this.#replies = new ReplyQueue(socket);
  }

  /** The peer's own address; asking costs a system call, so only registrations do. */
  get remoteHost(): string {
    return plainHost(this.socket.remoteAddress ?? '');
  }

  /** Which of our own addresses the peer has connected to; a system call too. */
  get localHost(): string {
    return plainHost(this.socket.localAddress ?? '');
  }

  /** Requests on it have no reply yet, or are still to be read. */
  get isInUse(): boolean {
    return this.#replies.length > 0 || this.#hasMore;
  }

  onRead(chunk: Buffer): void {
    const nowMs = this.#context.clock.now();
    this.lastHeardMs = nowMs;
    if (this.isClosing) {
      // It is read so that the peer gets the last reply, and in turn like anything else.
      this.#pause();
      this.#context.turns.join(this);
      return;
    }
    const limit = this.#hasMore || this.#mustWait ? 0 : this.#context.turns.allowance(this);
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
    this.#forward(whole, nowMs);
    this.#isTaking = false;
    this.#context.turns.spend(this, 1);
    this.#afterTaking();
  }

  get isReady(): boolean {
    if (this.isClosed) return false;
    return this.isClosing ? this.#isPaused : this.#hasMore && !this.#needsRelief;
  }

  takeSome(limit: number): void {
    if (this.isClosing) {
      this.#context.turns.spend(this, DISCARD_COST_PACKETS);
      this.#resume();
      return;
    }
    this.#hasMore = false;
    // It was not listened to meanwhile.
    this.lastHeardMs = this.#context.clock.now();
    this.#take(limit, this.lastHeardMs);
  }

  #take(limit: number, nowMs: number): void {
    const reader = this.#reader;
    let taken = 0;
    let isAtEnd = false;
    this.#isTaking = true;
    while (taken < limit && !this.isClosing && !this.#mustWait) {
      const packet = reader.next();
      if (packet === null) {
        if (!reader.isMidPacket) this.partialSinceMs = 0;
        else if (taken > 0 || this.partialSinceMs === 0) this.partialSinceMs = nowMs;
        isAtEnd = true;
        break;
      }
      taken += 1;
      this.#onPacket(packet, nowMs);
    }
    this.#isTaking = false;
    this.#context.turns.spend(this, taken);
    if (!this.isClosing) {
      if (isAtEnd) this.#resume();
      else this.#wait();
    }
    this.#afterTaking();
  }

  #hold(chunk: Buffer): void {
    this.#reader.feed(chunk);
    this.#reader.keep();
    this.#heldChunks += 1;
    if (!this.#hasMore) this.#wait();
    else if (this.#isFull) this.#pause();
  }

  // What has come is taken in a later turn, or once enough replies have left.
  #wait(): void {
    this.#hasMore = true;
    // While it is we who do not read, the peer is not slow.
    this.partialSinceMs = 0;
    this.#reader.keep();
    this.#needsRelief = this.#mustWait;
    if (!this.#needsRelief) this.#context.turns.join(this);
    // A paused socket does not notice that its peer has left. That is no matter for the milliseconds until its turn, and
    // where replies wait to be sent their failure shows. Open requests may take seconds: until then some is read and held.
    if (!this.#needsRelief || this.socket.writableNeedDrain || this.#isFull) this.#pause();
    else this.#unpause();
  }

  get #mustWait(): boolean {
    return this.#isRegistering || this.#replies.isOverdrawn;
  }

  get #isFull(): boolean {
    return this.#reader.untakenBytes >= MAX_HELD_BYTES || this.#heldChunks >= MAX_HELD_CHUNKS;
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.socket.pause();
  }

  #unpause(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.socket.resume();
  }

  #resume(): void {
    this.#heldChunks = 0;
    this.#unpause();
  }

  #afterTaking(): void {
    if (!this.#hasMore) {
      // What has begun to come in is still read to its end, and answered.
      if (this.#closesAfterChunk && !this.#reader.isMidPacket) this.close();
      // The peer may have ended its side while packets that came before were still to be read.
      if (this.#hasPeerEnded) this.#refuseIfCutShort();
    }
    this.flush();
  }

  #onPacket(packet: Packet, nowMs: number): void {
    switch (packet.kind) {
      case 'request':
        this.#forward(packet, nowMs);
        return;
      case 'setup':
        this.hasSetUp = true;
        this.#refusalsInARow = 0;
        this.#register(packet);
        return;
      case 'heartbeat':
      case 'leave':
        if (this.#context.handlers.sessions.onPacket(this, packet)) this.#refusalsInARow = 0;
        else this.#refusePacket(unknownType(TYPES[packet.kind]));
        return;
      case 'answer':
      case 'error':
      case 'legacy-probe':
        this.#refusePacket(unknownType(TYPES[packet.kind]));
        return;
      case 'fault':
        this.#refusePacket(packet);
        if (endsStream(packet.code)) this.close();
        return;
      default:
        packet satisfies never;
    }
  }

  #register(packet: SetupPacket): void {
    const place = this.#takePlace(packet.id, packet.policy);
    this.#isRegistering = true;
    this.#context.handlers.registrar.register(this, packet, (line) => {
      this.#isRegistering = false;
      this.#answer(place, line);
      if (!this.#isTaking) this.flush();
    });
  }

  #forward(packet: RequestPacket, nowMs: number): void {
    const wire = this.#reader.takeWire();
    if (this.overload !== null) {
      const { clientId, policy } = packet;
      this.#refuse({ kind: 'fault', code: 'OVERLOADED', sentence: this.overload, clientId, policy });
      this.close();
      return;
    }
    this.#refusalsInARow = 0;
    const { forwarder } = this.#context.handlers;
    forwarder.forward(this, packet, wire, nowMs);
    if (forwarder.isDraining) this.#closesAfterChunk = true;
  }

  // A peer that sends nothing else costs others their time; its last refusal says that it is the last.
  #refusePacket(fault: PacketFault): void {
    this.#refusalsInARow += 1;
    this.#context.turns.charge(this, REFUSAL_CHARGE_PACKETS);
    const isLast = this.#refusalsInARow >= MAX_REFUSALS_IN_A_ROW && !endsStream(fault.code);
    this.#refuse(isLast ? { ...fault, sentence: `${fault.sentence} ${LAST_REFUSAL}` } : fault);
    if (isLast) this.close();
  }

  #refuse({ code, sentence, clientId, policy }: PacketFault): void {
    const trace = this.#context.handlers.forwarder.noteRefusal(code, { clientId, policy });
    const place = this.#takePlace(clientId, policy ?? '');
    this.#answer(place, formatError(code, sentence, { clientId, policy, trace }));
  }

  // What is no request still has to wait for the replies to what came before it.
  #takePlace(id: Id | undefined, policy: string): Request {
    const placeholder = new Request(this, id, policy, '', null, 0);
    this.#replies.append(placeholder);
    return placeholder;
  }

  #answer(placeholder: Request, line: string): void {
    placeholder.reply = Buffer.from(line).toString('latin1');
    this.#replies.deliver(placeholder);
  }

  expect(request: Request): void {
    this.#replies.append(request);
    // Small replies that follow each other unacknowledged would wait for each other (Nagle); a client that sends one
    // request at a time never has two, and is spared the system call.
    if (this.#replies.length === 2) this.socket.setNoDelay(true);
  }

  deliver(request: Request): void {
    this.#replies.deliver(request);
  }

  /** Sends one line that answers no request: a heartbeat. A connection that is about to close sends none. */
  send(line: string): void {
    if (this.isClosed || this.isClosing) return;
    this.#replies.addLine(line);
    this.flush();
  }

  flush(): void {
    if (this.isClosed) return;
    this.#replies.write();
    if (this.#needsRelief && !this.#isRegistering && this.#replies.isRelieved) {
      this.#needsRelief = false;
      this.#pause();
      this.#context.turns.join(this);
    }
    const isOver = this.isClosing || (this.#hasPeerEnded && !this.#hasMore);
    if (isOver && this.#replies.length === 0 && !this.#isTaking) this.#finish();
  }

  onDrain(): void {
    this.flush();
  }

  /** Whether none of the replies that wait to be sent has gone for `limitMs`; asked again and again. */
  isStuck(nowMs: number, limitMs: number): boolean {
    return this.#replies.isStuck(nowMs, limitMs);
  }

  /** Says why it ends, and ends it. */
  refuseAll(code: ErrorCode, sentence: string): void {
    this.#refuse({ kind: 'fault', code, sentence });
    this.closeWhenIdle();
  }

  /** Closes once every open request has been replied to; nothing more is read. */
  close(): void {
    this.isClosing = true;
    this.#stopTaking();
  }

  /** Ends the connection as soon as it has nothing left to say; at once if that is now. */
  closeWhenIdle(): void {
    this.close();
    this.flush();
  }

  destroy(): void {
    this.socket.destroy();
  }

  onEnd(): void {
    this.#hasPeerEnded = true;
    if (!this.#hasMore) this.#refuseIfCutShort();
    this.#endSession();
    this.flush();
  }

  #refuseIfCutShort(): void {
    if (!this.#reader.isMidPacket || this.isClosing) return;
    const sentence = 'The connection ended in the middle of a packet: send it whole.';
    this.#refuse({ kind: 'fault', code: 'BAD_JSON', sentence });
    this.close();
  }

  // A full close at once is a system call less than a half-close, and safe when the peer has ended and all is written.
  #finish(): void {
    if (this.#hasPeerEnded && this.socket.writableLength === 0) {
      this.socket.destroy();
      return;
    }
    if (this.socket.writableEnded) return;
    // Closing with unread bytes would reset the connection and take the refusal with it: read on, for a while.
    this.socket.end(() => this.#context.clock.after(LINGER_MS, () => this.socket.destroy()));
    this.#resume();
  }

  onClose(): void {
    this.isClosed = true;
    this.#stopTaking();
    this.#endSession();
    this.#context.onClosed(this);
  }

  #endSession(): void {
    if (this.hasSetUp) this.#context.handlers.sessions.onEnded(this);
  }

  #stopTaking(): void {
    this.partialSinceMs = 0;
    this.#hasMore = false;
    this.#needsRelief = false;
  }
}
