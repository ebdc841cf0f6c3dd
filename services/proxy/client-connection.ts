// shell · one accepted connection: packets in, replies out in the order of the requests. On the data path.
// Must never leave a refusal unsaid, write more than once for what is ready together, or outlive its socket.
import type { Clock } from '../shared/clock.ts';
import type { ErrorCode } from '../shared/error-codes.ts';
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
} from '../shared/packet.ts';
import type { BagMember } from './bag.ts';
import { HeldInput } from './held-input.ts';
import type { Connection, Receiver } from './network.ts';
import { PacketReader } from './packet-reader.ts';
import { ReplyQueue } from './reply-queue.ts';
import { type ReplySink, Request } from './request.ts';
import { plainHost } from './source.ts';
import { CUT_SHORT, endsStream, tooSlow } from './stream-faults.ts';

// A client that sends more than this without reading its replies is not read from until some have gone.
const MAX_OPEN_REQUESTS = 256;
const MAX_UNSENT_REPLY_BYTES = 65_536;
const MAX_REFUSALS_A_TURN = 32;
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

export class ClientConnection implements ReplySink, Receiver, BagMember {
  readonly socket: Connection;
  /** Whom it counts for where connections are limited by source; null where they are not. */
  readonly source: string | null;
  place = -1;
  isClosed = false;
  /** When the last bytes came, monotonic ms. */
  lastHeardMs: number;
  /** When the packet that is still incomplete began, monotonic ms; 0 when there is none. */
  partialSinceMs = 0;
  readonly #handler: ConnectionHandler;
  readonly #reader: PacketReader;
  readonly #clock: Clock;
  readonly #replies = new ReplyQueue();
  #unwritten = '';
  #hasPeerEnded = false;
  #isClosing = false;
  /** What comes while it has to wait, and is not looked at; null while it need not. */
  #held: HeldInput | null = null;
  #hasYielded = false;
  #stuckBytes = 0;
  #stuckSinceMs = 0;
  #closesAfterChunk = false;
  #hasEndBeenTold = false;

  constructor(
    socket: Connection,
    source: string | null,
    maxFrameBytes: number,
    clock: Clock,
    handler: ConnectionHandler,
  ) {
    this.socket = socket;
    this.source = source;
    this.#handler = handler;
    this.#clock = clock;
    this.#reader = new PacketReader(maxFrameBytes);
    this.lastHeardMs = clock.now();
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
    if (this.isClosed || this.#isClosing) return;
    this.#unwritten += Buffer.from(line).toString('latin1');
    this.flush();
  }

  deliver(): void {
    this.#unwritten += this.#replies.take();
  }

  flush(): void {
    if (this.isClosed) return;
    this.#write();
    if (this.#held !== null) {
      this.#resumeIfPossible();
      this.#write();
      // What has gone at once brings no `drain`.
      if (this.#held !== null && !this.#hasYielded && this.#isRelieved) this.#yield();
    }
    // While it is paused, more of what has come may still have to be read.
    const isOver = this.#isClosing || (this.#hasPeerEnded && this.#held === null);
    if (this.#replies.length === 0 && isOver) this.#finish();
  }

  #write(): void {
    if (this.#unwritten === '') return;
    const wire = this.#unwritten;
    this.#unwritten = '';
    this.socket.write(wire, 'latin1');
  }

  /** Refuses a packet that was not complete within `limitMs`; the stream can't be used any more. */
  refuseSlow(limitMs: number): void {
    this.partialSinceMs = 0;
    this.#refuse(tooSlow(limitMs));
    this.close();
    this.flush();
  }

  /** Requests on it have no reply yet. */
  get isWaitedFor(): boolean {
    return this.#replies.length > 0;
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
    this.#isClosing = true;
    this.partialSinceMs = 0;
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
    if (this.#isClosing) return;
    const nowMs = this.#clock.now();
    this.lastHeardMs = nowMs;
    if (this.#held !== null) {
      this.#held.hold(chunk);
      return;
    }
    const whole = this.#isOverdrawn ? null : this.#reader.takeWhole(chunk);
    if (whole === null) {
      this.#reader.feed(chunk);
      this.#readPackets(nowMs);
    } else {
      this.#forward(whole, nowMs);
      this.#afterPackets();
    }
    this.flush();
  }

  // Takes packets until there are no more, or until the client has so many open that it has to wait for replies first.
  #readPackets(nowMs: number): void {
    const reader = this.#reader;
    let hadPacket = false;
    let refusals = 0;
    while (!this.#isClosing && !this.#isOverdrawn && !this.#hasYielded) {
      const packet = reader.next();
      if (packet === null) {
        if (!reader.isMidPacket) this.partialSinceMs = 0;
        else if (hadPacket || this.partialSinceMs === 0) this.partialSinceMs = nowMs;
        break;
      }
      hadPacket = true;
      const open = this.#replies.length;
      this.#onPacket(packet, nowMs);
      if (this.#replies.length > open) continue;
      refusals += 1;
      if (refusals === MAX_REFUSALS_A_TURN) this.#yield();
    }
    this.#afterPackets();
  }

  #afterPackets(): void {
    if (this.#isOverdrawn || this.#hasYielded) {
      this.#pause();
      return;
    }
    // What has begun to come in is still read to its end, and told.
    if (this.#closesAfterChunk && !this.#reader.isMidPacket) this.close();
    // Its end may have been told while packets that came before were still to be read.
    if (this.#hasPeerEnded) this.#refuseIfCutShort();
  }

  #onPacket(packet: Packet, nowMs: number): void {
    switch (packet.kind) {
      case 'request':
        this.#forward(packet, nowMs);
        return;
      case 'setup':
        this.#answerInOrder(packet.id, packet.policy, this.#handler.onSetup(this, packet));
        return;
      case 'heartbeat':
      case 'leave':
        if (!this.#handler.onSessionPacket(this, packet))
          this.#refuse(unknownType(packet.kind === 'leave' ? '4' : '3'));
        return;
      case 'answer':
        this.#refuse(unknownType('2'));
        return;
      case 'error':
        this.#refuse(unknownType('-1'));
        return;
      case 'legacy-probe':
        this.#refuse(unknownType('-2'));
        return;
      case 'fault':
        this.#refuse(packet);
        if (endsStream(packet.code)) this.close();
        return;
      default:
        packet satisfies never;
    }
  }

  #forward(packet: RequestPacket, nowMs: number): void {
    const request = this.#handler.openRequest(this, packet, this.#reader.takeWire(), nowMs);
    this.#replies.append(request);
    this.#sendAtOnceIfPipelined();
    this.#handler.forward(this, request, nowMs);
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
    this.deliver();
  }

  // Refusals of a whole chunk wait for one write.
  get #unsentBytes(): number {
    return this.socket.writableLength + this.#unwritten.length;
  }

  get #isOverdrawn(): boolean {
    return this.#replies.length >= MAX_OPEN_REQUESTS || this.#unsentBytes > MAX_UNSENT_REPLY_BYTES;
  }

  #pause(): void {
    this.#held ??= new HeldInput(this.#reader, this.socket);
    // While it is we who do not read, nobody is slow.
    this.partialSinceMs = 0;
  }

  // Hundreds of clients may each have sent thousands of packets that are refused at once: others have their turn in between.
  #yield(): void {
    this.#hasYielded = true;
    this.#clock.soon(() => {
      this.#hasYielded = false;
      this.flush();
    });
  }

  get #isRelieved(): boolean {
    return this.#replies.length <= MAX_OPEN_REQUESTS / 2 && this.#unsentBytes <= MAX_UNSENT_REPLY_BYTES;
  }

  #resumeIfPossible(): void {
    const held = this.#held;
    if (held === null || this.isClosed || this.#hasYielded || !this.#isRelieved) return;
    this.#held = null;
    this.#readPackets(this.#clock.now());
    if (this.#held === null) {
      held.end();
      return;
    }
    this.#held = held;
    held.restart();
  }

  onDrain(): void {
    this.flush();
  }

  onEnd(): void {
    this.#hasPeerEnded = true;
    if (this.#held === null) this.#refuseIfCutShort();
    this.#tellEnd();
    this.flush();
  }

  #refuseIfCutShort(): void {
    if (!this.#reader.isMidPacket || this.#isClosing) return;
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
    this.socket.resume();
  }

  onClose(): void {
    this.isClosed = true;
    this.partialSinceMs = 0;
    this.#tellEnd();
    this.#handler.onClosed(this);
  }

  #tellEnd(): void {
    if (this.#hasEndBeenTold) return;
    this.#hasEndBeenTold = true;
    this.#handler.onEnded(this);
  }
}
