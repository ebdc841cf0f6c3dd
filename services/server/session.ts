// One session with one proxy: dial, register, echo heartbeats, leave.
import type { Socket } from 'node:net';
import type { Clock } from '../shared/clock.ts';
import { DEFAULT_MAX_FRAME_BYTES } from '../shared/framing.ts';
import {
  type ChallengePacket,
  formatHeartbeat,
  formatLeave,
  type Id,
  type Packet,
  parseFromProxy,
  type RegisteredPacket,
} from '../shared/packet.ts';
import { PacketReader } from '../shared/packet-reader.ts';
import { type DialTls, dial, explainTls } from '../shared/tls.ts';

export type SessionTimes = {
  /** For the handshake. A lost SYN is sent again after 1 s only, so a new dial is quicker. */
  connectMs: number;
  replyMs: number;
  silenceMs: number;
};

export const SESSION_TIMES: SessionTimes = { connectMs: 200, replyMs: 1_000, silenceMs: 3_000 };
/** The handshake of TLS comes on top, with its signatures on both sides. */
export const TLS_SESSION_TIMES: SessionTimes = { ...SESSION_TIMES, connectMs: 2_000 };

/** The setup packet as it goes out, with the proof for `nonce` when the proxy has asked for one. */
export type MakeSetup = (nonce: string | null) => string;

/** How a session ended, with a clause for the log. */
export type SessionEnd = {
  how: 'unreachable' | 'refused' | 'replaced' | 'no-tls' | 'lost' | 'left';
  why: string;
  /** Registered for how long; 0 when it never was. */
  livedMs: number;
};

type Phase = 'dialling' | 'registering' | 'registered' | 'leaving' | 'over';

/** What the proxy did not do in time. */
const TIMED_OUT: Record<Phase, string> = {
  dialling: 'the connection was not answered',
  registering: 'the proxy did not answer the setup packet',
  registered: 'the proxy missed three heartbeats',
  leaving: 'the proxy did not close the session',
  over: 'over',
};

export type SessionOptions = {
  address: string;
  port: number;
  serverId: Id;
  setup: MakeSetup;
  tls: DialTls | null;
  /** The proxy's name, which its certificate must be for. */
  proxyName: string;
  clock: Clock;
  times: SessionTimes;
  onRegistered: () => void;
};

/** Begins as soon as it is made; `ended` resolves once, whatever happens. */
export class Session {
  readonly ended: Promise<SessionEnd>;
  readonly #options: SessionOptions;
  readonly #socket: Socket;
  readonly #reader = new PacketReader(DEFAULT_MAX_FRAME_BYTES, parseFromProxy, true);
  readonly #watch = new AbortController();
  #end: (end: SessionEnd) => void = () => {};
  #phase: Phase = 'dialling';
  #deadlineMs: number;
  #registeredMs: number | null = null;
  #hasProved = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#deadlineMs = options.clock.now() + options.times.connectMs;
    const { address, port, tls, proxyName } = options;
    this.#socket = dial(address, port, tls, proxyName, () => this.#register());
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      const why = explainTls(error);
      if (why === null) this.#finish(error.code ?? error.message);
      else this.#finish(why, 'no-tls');
    });
    this.#socket.on('close', () => this.#finish(`the proxy closed the connection${this.#guess()}`));
    this.#socket.on('data', (chunk) => this.#read(chunk));
    void this.#keepDeadline();
  }

  /** Tells the proxy that no new request should come; the session ends when the proxy closes it. */
  leave(deadlineMs: number): void {
    if (this.#phase === 'over' || this.#phase === 'leaving') return;
    const hasSpoken = this.#phase !== 'dialling';
    this.#phase = 'leaving';
    if (!hasSpoken) {
      this.#finish('left before it was registered');
      return;
    }
    this.#deadlineMs = this.#options.clock.now() + deadlineMs;
    void this.#keepDeadline();
    this.#socket.write(formatLeave(this.#options.serverId));
  }

  #register(): void {
    if (this.#phase !== 'dialling') return;
    this.#phase = 'registering';
    this.#sendSetup(null);
  }

  #sendSetup(nonce: string | null): void {
    this.#deadlineMs = this.#options.clock.now() + this.#options.times.replyMs;
    this.#socket.write(this.#options.setup(nonce));
  }

  #prove(nonce: string): void {
    if (this.#phase !== 'registering') return;
    if (this.#hasProved) {
      this.#finish('the proxy asks for one proof after the other', 'refused');
      return;
    }
    this.#hasProved = true;
    this.#sendSetup(nonce);
  }

  #read(chunk: Buffer): void {
    const reader = this.#reader;
    reader.feed(chunk);
    for (let packet = reader.next(); packet !== null && this.#phase !== 'over'; packet = reader.next()) {
      if (reader.isBroken) this.#finish('the proxy sent what is not a packet');
      else this.#take(packet);
    }
  }

  #take(packet: Packet | RegisteredPacket | ChallengePacket): void {
    if (packet.kind === 'challenge') {
      this.#prove(packet.nonce);
      return;
    }
    if (packet.kind === 'error') {
      const isRefusal = this.#phase === 'registered' ? 'replaced' : 'refused';
      this.#finish(`${packet.sentence} (${packet.code})`, packet.isRetryable ? undefined : isRefusal);
      return;
    }
    if (packet.kind === 'registered' && this.#phase === 'registering') {
      this.#phase = 'registered';
      this.#registeredMs = this.#options.clock.now();
      this.#options.onRegistered();
    }
    if (this.#phase === 'registered') {
      this.#deadlineMs = this.#options.clock.now() + this.#options.times.silenceMs;
    }
    // A proxy that takes no echoes is as good as gone, and they must not pile up.
    const isTaken =
      packet.kind !== 'heartbeat' || this.#socket.write(formatHeartbeat(this.#options.serverId));
    if (!isTaken) this.#finish('the proxy reads nothing');
  }

  // The deadline moves with every packet, so one sleeper that looks again serves the whole life. After a freeze
  // (a paused container) the timer is served before the sockets: what has come meanwhile is read before it is judged.
  async #keepDeadline(): Promise<void> {
    const { clock } = this.#options;
    try {
      for (let leftMs = this.#leftMs(); leftMs > 0; leftMs = this.#leftMs()) {
        await clock.sleep(leftMs, this.#watch.signal);
        await new Promise((resolve) => setImmediate(resolve));
      }
      this.#finish(TIMED_OUT[this.#phase]);
    } catch {
      // The session is over, so the deadline has lost its meaning.
    }
  }

  #leftMs(): number {
    return this.#deadlineMs - this.#options.clock.now();
  }

  #guess(): string {
    if (this.#phase !== 'registering') return '';
    return this.#options.tls === null
      ? ' without a reply: does it take TLS only (--proxy-tls)?'
      : ' without a reply: its log says whether it refuses our certificate';
  }

  #finish(why: string, how?: 'refused' | 'replaced' | 'no-tls' | undefined): void {
    if (this.#phase === 'over') return;
    const isLeaving = this.#phase === 'leaving';
    this.#phase = 'over';
    this.#watch.abort();
    this.#socket.destroy();
    const livedMs = this.#registeredMs === null ? 0 : this.#options.clock.now() - this.#registeredMs;
    this.#end({
      how: isLeaving ? 'left' : (how ?? (this.#registeredMs === null ? 'unreachable' : 'lost')),
      why,
      livedMs,
    });
  }
}
