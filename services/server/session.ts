// One session with one proxy: dial, register, echo heartbeats, leave.

import type { Clock } from '../shared/clock.ts';
import type { HostPort } from '../shared/config.ts';
import { DEFAULT_MAX_FRAME_BYTES } from '../shared/framing.ts';
import {
  formatHeartbeat,
  formatLeave,
  type Id,
  type PacketFromProxy,
  parseFromProxy,
} from '../shared/packet.ts';
import { PacketReader } from '../shared/packet-reader.ts';
import { type DialTls, explainTls } from '../shared/tls.ts';

export type SessionTimes = {
  /** For the handshake. A lost SYN is sent again after 1 s only, so a new dial is quicker. */
  connectMs: number;
  replyMs: number;
  silenceMs: number;
};

export const SESSION_TIMES: SessionTimes = { connectMs: 200, replyMs: 1_000, silenceMs: 3_000 };
/** The handshake of TLS comes on top, with its signatures on both sides. */
export const TLS_SESSION_TIMES: SessionTimes = { ...SESSION_TIMES, connectMs: 2_000 };

/**
 * The setup packet as it goes out, with the proof for `nonce` when the proxy has asked for one, and the boot ids of the proxies
 * that there are other sessions with.
 */
export type MakeSetup = (nonce: string | null, sessionsWith: readonly string[]) => string;

/** What a session uses of a socket. */
type ProxyConnection = {
  write(text: string): boolean;
  destroy(): unknown;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
};

/** Opens a connection to a proxy, as `dial` does; simulated servers have one of their own. */
export type DialProxy = (
  address: string,
  port: number,
  tls: DialTls | null,
  name: string,
  onOpen: () => void,
) => ProxyConnection;

/** How a session ended, with a clause for the log. */
export type SessionEnd = {
  how: 'unreachable' | 'refused' | 'replaced' | 'no-tls' | 'known' | 'lost' | 'left';
  why: string;
  /** Registered for how long; 0 when it never was. */
  livedMs: number;
};

type Phase = 'dialling' | 'registering' | 'registered' | 'leaving' | 'over';

const GUESSES = {
  plain: 'does it take TLS only (--proxy-tls)?',
  tls: 'its log says whether it refuses our certificate',
};

/** What the proxy did not do in time. */
const TIMED_OUT: Record<Exclude<Phase, 'over'>, string> = {
  dialling: 'the connection was not answered',
  registering: 'the proxy did not answer the setup packet',
  registered: 'the proxy missed three heartbeats',
  leaving: 'the proxy did not close the session',
};

export type SessionOptions = {
  address: string;
  /** The proxy's name is what its certificate must be for. */
  proxy: HostPort;
  serverId: Id;
  setup: MakeSetup;
  /** The boot ids of the proxies that there are other sessions with. */
  sessionsWith: () => readonly string[];
  tls: DialTls | null;
  dial: DialProxy;
  clock: Clock;
  times: SessionTimes;
  onRegistered: () => void;
  /** The proxy has said that it will stop soon; called once. */
  onLameDuck: () => void;
};

export type Session = {
  /** The boot id of the proxy, from when it has registered the server; null from one that says none. */
  readonly boot: string | null;
  /** Resolves once, whatever happens. */
  ended: Promise<SessionEnd>;
  /** Tells the proxy that no new request should come; the session ends when the proxy closes it. */
  leave(deadlineMs: number): void;
};

/** Begins a session at once. */
export function openSession(options: SessionOptions): Session {
  const { address, proxy, serverId, setup, tls, dial, clock, times } = options;
  const { promise: ended, resolve } = Promise.withResolvers<SessionEnd>();
  const reader = new PacketReader(DEFAULT_MAX_FRAME_BYTES, parseFromProxy, true);
  let phase: Phase = 'dialling';
  let deadlineMs = clock.now() + times.connectMs;
  let registeredMs: number | null = null;
  let hasProved = false;
  let boot: string | null = null;
  let isStopAnnounced = false;
  let cancelLook = (): void => {};

  const finish = (why: string, how?: 'refused' | 'replaced' | 'no-tls' | 'known'): void => {
    if (phase === 'over') return;
    const isLeaving = phase === 'leaving';
    boot = null;
    phase = 'over';
    cancelLook();
    socket.destroy();
    const livedMs = registeredMs === null ? 0 : clock.now() - registeredMs;
    const otherwise = registeredMs === null ? 'unreachable' : 'lost';
    resolve({ how: isLeaving ? 'left' : (how ?? otherwise), why, livedMs });
  };
  // The deadline moves with every packet, so one look at a time that looks again serves the whole life. After a freeze
  // (a paused container) timers are served before sockets: what has come meanwhile is read before it is judged.
  const look = (): void => {
    if (phase === 'over') return;
    const leftMs = deadlineMs - clock.now();
    if (leftMs > 0) cancelLook = clock.after(leftMs, () => clock.soon(look));
    else finish(TIMED_OUT[phase]);
  };
  const sendSetup = (nonce: string | null): void => {
    deadlineMs = clock.now() + times.replyMs;
    socket.write(setup(nonce, options.sessionsWith()));
  };
  const prove = (nonce: string): void => {
    if (phase !== 'registering') return;
    if (hasProved) {
      finish('the proxy asks for one proof after the other', 'refused');
      return;
    }
    hasProved = true;
    sendSetup(nonce);
  };
  const take = (packet: PacketFromProxy): void => {
    if (packet.kind === 'challenge') {
      prove(packet.nonce);
      return;
    }
    if (packet.kind === 'error') {
      const isRefusal = phase === 'registered' ? 'replaced' : 'refused';
      finish(`${packet.sentence} (${packet.code})`, packet.isRetryable ? undefined : isRefusal);
      return;
    }
    if (packet.kind === 'registered' && phase === 'registering') {
      if (packet.isKnown) {
        finish('it is the same proxy as at another address', 'known');
        return;
      }
      boot = packet.boot;
      phase = 'registered';
      registeredMs = clock.now();
      options.onRegistered();
    }
    if (phase === 'registered') deadlineMs = clock.now() + times.silenceMs;
    // A proxy that takes no echoes is as good as gone, and they must not pile up.
    const isHeartbeat = packet.kind === 'heartbeat' || packet.kind === 'lame-duck';
    const isTaken = !isHeartbeat || socket.write(formatHeartbeat(serverId));
    if (!isTaken) finish('the proxy reads nothing');
    if (packet.kind !== 'lame-duck' || isStopAnnounced) return;
    isStopAnnounced = true;
    options.onLameDuck();
  };

  const socket = dial(address, proxy.port, tls, proxy.host, () => {
    if (phase !== 'dialling') return;
    phase = 'registering';
    sendSetup(null);
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    const why = explainTls(error);
    if (why === null) finish(error.code ?? error.message);
    else finish(why, 'no-tls');
  });
  socket.on('close', () => {
    const guess =
      phase === 'registering' ? ` without a reply: ${GUESSES[tls === null ? 'plain' : 'tls']}` : '';
    finish(`the proxy closed the connection${guess}`);
  });
  socket.on('data', (chunk) => {
    reader.feed(chunk);
    for (let packet = reader.next(); packet !== null && phase !== 'over'; packet = reader.next()) {
      if (reader.isBroken) finish('the proxy sent what is not a packet');
      else take(packet);
    }
  });
  look();

  const leave = (leaveMs: number): void => {
    if (phase === 'over' || phase === 'leaving') return;
    const hasSpoken = phase !== 'dialling';
    phase = 'leaving';
    if (!hasSpoken) {
      finish('left before it was registered');
      return;
    }
    cancelLook();
    deadlineMs = clock.now() + leaveMs;
    look();
    socket.write(formatLeave(serverId));
  };
  return {
    ended,
    leave,
    get boot() {
      return boot;
    },
  };
}
