// shell · one accepted connection: packets in, replies out in the order of the requests. On the data path.
// Must never leave a refusal unsaid, write more than once for what is ready together, or outlive its socket.
import type { Clock } from '../../shared/clock.ts';
import type { ErrorCode } from '../../shared/error-codes.ts';
import {
  formatError,
  type HeartbeatPacket,
  type Id,
  type LeavePacket,
  type Packet,
  type PacketFault,
  type RequestPacket,
  type SetupPacket,
  unknownType,
} from '../../shared/packet.ts';
import type { Connection, Receiver } from '../network/network.ts';
import { type ReplySink, Request } from '../routing/request.ts';
import type { BagMember } from '../servers/bag.ts';
import { Intake, type IntakeOwner } from './intake.ts';
import type { ReadTurns } from './read-turns.ts';
import { ReplyQueue } from './reply-queue.ts';
import { plainHost } from './source.ts';
import { CUT_SHORT, endsStream, tooSlow } from './stream-faults.ts';

// A client that sends more than this without reading its replies is not read from until some have gone.
const MAX_OPEN_REQUESTS = 256;
// Beside what its socket has not sent yet, which has a limit of its own.
const MAX_WAITING_REPLY_BYTES = 16_384;
const MAX_REFUSALS_IN_A_ROW = 100;
const LAST_REFUSAL = `The connection is closed: its last ${MAX_REFUSALS_IN_A_ROW} packets were all refused.`;
// How long a peer that was refused may take to read the refusal before the connection is cut.
const LINGER_MS = 1000;

/** Who deals with what a connection brings. */
export type ConnectionHandler = {
  openRequest(connection: ClientConnection, packet: RequestPacket, wire: string, nowMs: number): Request;
  forward(connection: ClientConnection, request: Request, nowMs: number): void;
  /** Registers a server; returns the line to answer with. */
  onSetup(connection: ClientConnection, packet: SetupPacket): string;
  /** A heartbeat or a leave; false when the connection is no session. */
  onSessionPacket(connection: ClientConnection, packet: HeartbeatPacket | LeavePacket): boolean;
  /** A refusal was sent, for the counters. */
  onRefusal(code: ErrorCode): void;
  /** The peer has ended its side, or the connection is gone. Called once. */
  onEnded(connection: ClientConnection): void;
  /** The socket is closed; called once, last. */
  onClosed(connection: ClientConnection): void;
};

export class ClientConnection implements ReplySink, Receiver, IntakeOwner, BagMember {
  readonly socket: Connection;
  /** Whom it counts for where connections are limited by source; null where they are not counted. The listener's to write. */
  source: string | null = null;
  /** Why it may only register a server: the places of clients are taken. null where it may ask as well. */
  readonly overload: string | null;
  readonly acceptedMs: number;
  place = -1;
  isClosed = false;
  isClosing = false;
  /** It has sent a setup packet. */
  hasSetUp = false;
  readonly #handler: ConnectionHandler;
  readonly #intake: Intake;
  readonly #clock: Clock;
  readonly #replies = new ReplyQueue();
  /** Of replies that are there and have to wait for the replies before them. */
  #queuedBytes = 0;
  #unwritten = '';
  #hasPeerEnded = false;
  #refusalsInARow = 0;
  #stuckBytes = 0;
  #stuckSinceMs = 0;
  #closesAfterChunk = false;
  #hasEndBeenTold = false;

  /** @param overload why it may only register a server; null where it may ask as well */
  constructor(
    socket: Connection,
    overload: string | null,
    clock: Clock,
    turns: ReadTurns,
    handler: ConnectionHandler,
  ) {
    this.socket = socket;
    this.overload = overload;
    this.#handler = handler;
    this.#clock = clock;
    this.#intake = new Intake(this, socket, clock, turns);
    this.acceptedMs = this.#intake.lastHeardMs;
  }

  /** When the last bytes came, monotonic ms. */
  get lastHeardMs(): number {
    return this.#intake.lastHeardMs;
  }

  /** When the packet that is still incomplete began, monotonic ms; 0 when there is none. */
  get partialSinceMs(): number {
    return this.#intake.partialSinceMs;
  }

  /** The peer's own address; asking costs a system call, so only registrations do. */
  get remoteHost(): string {
    return plainHost(this.socket.remoteAddress ?? '');
  }

  /** Which of our own addresses the peer has connected to; a system call too. */
  get localHost(): string {
    return plainHost(this.socket.localAddress ?? '');
  }

  /** Sends one line that answers no request: a heartbeat. One that is about to close has nothing more to say. */
  send(line: string): void {
    if (this.isClosed || this.isClosing) return;
    this.#unwritten += Buffer.from(line).toString('latin1');
    this.flush();
  }

  deliver(request: Request): void {
    this.#queuedBytes += request.reply?.length ?? 0;
    const ready = this.#replies.take();
    this.#queuedBytes -= ready.length;
    this.#unwritten += ready;
  }

  flush(): void {
    if (this.isClosed) return;
    this.#write();
    this.#intake.relieve();
    const isOver = this.isClosing || (this.#hasPeerEnded && !this.#intake.isWaiting);
    if (isOver && this.#replies.length === 0 && !this.#intake.isTaking) this.#finish();
  }

  #write(): void {
    if (this.#unwritten === '') return;
    const wire = this.#unwritten;
    this.#unwritten = '';
    this.socket.write(wire, 'latin1');
  }

  /** Refuses a packet that was not complete within `limitMs`; the stream can't be used any more. */
  refuseSlow(limitMs: number): void {
    this.#refuse(tooSlow(limitMs));
    this.closeWhenIdle();
  }

  /** Ends one that may only register a server, and has not. */
  refuseOverloaded(): void {
    this.#refuse({ kind: 'fault', code: 'OVERLOADED', sentence: this.overload ?? '' });
    this.closeWhenIdle();
  }

  get openCount(): number {
    return this.#replies.length;
  }

  /** Requests on it have no reply yet, or are still to be read. */
  get isWaitedFor(): boolean {
    return this.#replies.length > 0 || this.#intake.isWaiting;
  }

  /** Whether none of the replies that wait to be sent has gone for `limitMs`; asked again and again. */
  isStuck(nowMs: number, limitMs: number): boolean {
    const { writableLength } = this.socket;
    if (writableLength === 0 || writableLength !== this.#stuckBytes) {
      this.#stuckBytes = writableLength;
      this.#stuckSinceMs = nowMs;
    }
    return nowMs - this.#stuckSinceMs >= limitMs;
  }

  /** Closes once every open request has been replied to; nothing more is read. */
  close(): void {
    this.isClosing = true;
    this.#intake.stop();
  }

  /** Closes once every request that has been read, or begun, is replied to. */
  closeAfterChunk(): void {
    this.#closesAfterChunk = true;
  }

  /** Ends the connection as soon as it has nothing left to say; at once if that is now. */
  closeWhenIdle(): void {
    this.close();
    this.flush();
  }

  onRead(chunk: Buffer): void {
    this.#intake.onChunk(chunk);
  }

  onTaken(): void {
    if (!this.#intake.isWaiting) {
      // What has begun to come in is still read to its end, and told.
      if (this.#closesAfterChunk && !this.#intake.isMidPacket) this.close();
      // Its end may have been told while packets that came before were still to be read.
      if (this.#hasPeerEnded) this.#refuseIfCutShort();
    }
    this.flush();
  }

  onPacket(packet: Packet, nowMs: number): void {
    switch (packet.kind) {
      case 'request':
        this.#forward(packet, nowMs);
        return;
      case 'setup':
        this.hasSetUp = true;
        this.#refusalsInARow = 0;
        this.#answerInOrder(packet.id, packet.policy, this.#handler.onSetup(this, packet));
        return;
      case 'heartbeat':
      case 'leave':
        if (this.#handler.onSessionPacket(this, packet)) this.#refusalsInARow = 0;
        else this.#refusePacket(unknownType(packet.kind === 'leave' ? '4' : '3'));
        return;
      case 'answer':
        this.#refusePacket(unknownType('2'));
        return;
      case 'error':
        this.#refusePacket(unknownType('-1'));
        return;
      case 'legacy-probe':
        this.#refusePacket(unknownType('-2'));
        return;
      case 'fault':
        this.#refusePacket(packet);
        if (endsStream(packet.code)) this.close();
        return;
      default:
        packet satisfies never;
    }
  }

  #forward(packet: RequestPacket, nowMs: number): void {
    const wire = this.#intake.takeWire();
    if (this.overload !== null) {
      const { clientId, policy } = packet;
      this.#refuse({ kind: 'fault', code: 'OVERLOADED', sentence: this.overload, clientId, policy });
      this.close();
      return;
    }
    this.#refusalsInARow = 0;
    const request = this.#handler.openRequest(this, packet, wire, nowMs);
    this.#replies.append(request);
    this.#sendAtOnceIfPipelined();
    this.#handler.forward(this, request, nowMs);
  }

  // One that sends nothing else costs others their time; its last refusal says that it is the last.
  #refusePacket(fault: PacketFault): void {
    this.#refusalsInARow += 1;
    const isLast = this.#refusalsInARow >= MAX_REFUSALS_IN_A_ROW && !endsStream(fault.code);
    this.#refuse(isLast ? { ...fault, sentence: `${fault.sentence} ${LAST_REFUSAL}` } : fault);
    if (isLast) this.close();
  }

  // Small replies that follow each other unacknowledged would wait for each other (Nagle); a client that sends one
  // request at a time never has two, and is spared the system call.
  #sendAtOnceIfPipelined(): void {
    if (this.#replies.length === 2) this.socket.setNoDelay(true);
  }

  #refuse(fault: PacketFault): void {
    this.#handler.onRefusal(fault.code);
    const { code, sentence, clientId, policy } = fault;
    this.#answerInOrder(clientId, policy ?? '', formatError(code, sentence, { clientId, policy }));
  }

  // What is answered here still has to wait for the replies to what came before it.
  #answerInOrder(id: Id | undefined, policy: string, line: string): void {
    const placeholder = new Request(this, id, policy, '', null, 0);
    this.#replies.append(placeholder);
    placeholder.reply = Buffer.from(line).toString('latin1');
    this.deliver(placeholder);
  }

  // Refusals of a whole chunk wait for one write.
  get #waitingBytes(): number {
    return this.#unwritten.length + this.#queuedBytes;
  }

  get isUnread(): boolean {
    return this.socket.writableNeedDrain;
  }

  get isOverdrawn(): boolean {
    return (
      this.#replies.length >= MAX_OPEN_REQUESTS ||
      this.#waitingBytes > MAX_WAITING_REPLY_BYTES ||
      this.socket.writableNeedDrain
    );
  }

  get isRelieved(): boolean {
    return (
      this.#replies.length <= MAX_OPEN_REQUESTS / 2 &&
      this.#waitingBytes <= MAX_WAITING_REPLY_BYTES &&
      !this.socket.writableNeedDrain
    );
  }

  onDrain(): void {
    this.flush();
  }

  onEnd(): void {
    this.#hasPeerEnded = true;
    if (!this.#intake.isWaiting) this.#refuseIfCutShort();
    this.#tellEnd();
    this.flush();
  }

  #refuseIfCutShort(): void {
    if (!this.#intake.isMidPacket || this.isClosing) return;
    this.#refuse(CUT_SHORT);
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
    this.socket.end(() => this.#clock.after(LINGER_MS, () => this.socket.destroy()));
    this.#intake.resume();
  }

  onClose(): void {
    this.isClosed = true;
    this.#intake.stop();
    this.#tellEnd();
    this.#handler.onClosed(this);
  }

  #tellEnd(): void {
    if (this.#hasEndBeenTold) return;
    this.#hasEndBeenTold = true;
    this.#handler.onEnded(this);
  }
}
