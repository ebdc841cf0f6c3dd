// shell · one health probe over a fresh connection: a complete request, or the original's bare connect.
// Must never throw, never outlast its timeout, and never share a connection with real requests.
import { hash } from 'node:crypto';
import type { Clock } from '../../shared/clock.ts';
import { FrameReader } from '../../shared/framing.ts';
import { OLD_HEALTH_CLIENT_ID, PROBE_PAYLOAD } from '../../shared/health-probe.ts';
import { formatRequest, HEALTH_CLIENT_ID, type Id, parsePacket } from '../../shared/packet.ts';
import { explainTls } from '../../shared/tls.ts';
import type { DialledConnection, Network } from '../network/network.ts';
import { isLocalError } from '../servers/failure.ts';
import type { ProbeOutcome } from './health.ts';
import {
  describeBytes,
  describeEnd,
  describeNoAnswer,
  describeOther,
  describeSilence,
} from './probe-detail.ts';

export type ProbeMode = 'request' | 'connect';
export type ProbeTarget = {
  host: string;
  port: number;
  /** Its policy, in the form in which it registered for it. */
  policyAsWritten: Id;
  /** It keeps connections; one that does not closes them itself. */
  keepsAlive: boolean;
  /** It has asked for a session: it is not of the old kind. */
  asksForSession: boolean;
  /** The id in its answers, as text; null when it has not answered yet. */
  answersAs: string | null;
};
export type ProbeResult = {
  outcome: ProbeOutcome;
  roundTripMs: number;
  /** The id in the answer, as text; null without an answer, and where there is none in it. */
  answersAs: string | null;
  /** What the server did with the probe, as a clause; '' where the outcome says all. */
  detail: string;
};

const DIGEST = hash('sha1', PROBE_PAYLOAD);
/** A server that closes after its answer has done so by then. */
const LINGER_MS = 200;
/** Of what comes, so much is kept to be shown. */
const KEPT_BYTES = 64;

export type ProbeOptions<Target extends ProbeTarget> = {
  /** `request`: healthy means a type 2 answer with the right digest; `connect`: that it accepts a connection. */
  mode: ProbeMode;
  /** For the whole probe, connecting included. */
  timeoutMs: number;
  maxFrameBytes: number;
  /** Whether the id in an answer belongs to another server than the one that was probed. */
  isSomebodyElse: (target: Target, answersAs: string) => boolean;
  network: Network;
  clock: Clock;
};

/** Probes one server. */
export function probe<Target extends ProbeTarget>(
  target: Target,
  options: ProbeOptions<Target>,
): Promise<ProbeResult> {
  return new Promise((resolve) => new Probe(target, options, resolve));
}

type Verdict = { outcome: ProbeOutcome; answersAs?: string | null; detail?: string };

class Probe<Target extends ProbeTarget> {
  readonly #target: Target;
  readonly #options: ProbeOptions<Target>;
  readonly #resolve: (result: ProbeResult) => void;
  readonly #startedMs: number;
  readonly #reader: FrameReader;
  readonly #socket: DialledConnection;
  readonly #cancelTimeout: () => void;
  /** The beginning of what came, as latin1. */
  #came = '';
  #isConnected = false;
  #isOver = false;

  constructor(target: Target, options: ProbeOptions<Target>, resolve: (result: ProbeResult) => void) {
    this.#target = target;
    this.#options = options;
    this.#resolve = resolve;
    const { clock, network, timeoutMs, maxFrameBytes } = options;
    this.#startedMs = clock.now();
    this.#reader = new FrameReader(maxFrameBytes);
    const { host, port } = target;
    this.#socket = network.connect(
      host,
      port,
      () => this.#onConnected(),
      (chunk) => this.#onRead(chunk),
    );
    // After a stall of this process the answer may lie in the kernel, and timers are served before sockets.
    this.#cancelTimeout = clock.after(timeoutMs, () => clock.soon(() => this.#onTimeout()));
    this.#socket.on('error', (error) => this.#onError(error));
    this.#socket.on('end', () => this.#onClosed());
    this.#socket.on('close', () => this.#onClosed());
  }

  #onConnected(): void {
    this.#isConnected = true;
    const { asksForSession, policyAsWritten } = this.#target;
    const clientId = asksForSession ? HEALTH_CLIENT_ID : OLD_HEALTH_CLIENT_ID;
    if (this.#options.mode === 'connect') this.#finish({ outcome: 'pass' });
    else this.#socket.write(formatRequest(clientId, policyAsWritten, PROBE_PAYLOAD), 'utf8');
  }

  #onRead(chunk: Buffer): void {
    const reader = this.#reader;
    if (this.#came.length < KEPT_BYTES) this.#came += chunk.toString('latin1', 0, KEPT_BYTES);
    reader.feed(chunk);
    if (reader.next()) this.#finish(this.#judge(reader.bytes.toString('utf8', reader.start, reader.end)));
    if (reader.fault !== null) this.#finish({ outcome: 'garbled', detail: describeBytes(this.#came) });
  }

  // Everybody computes the same digest: only the id tells whether it is still this server that has the address. Workers
  // that share a port may each have an id of their own, so another id alone says nothing.
  #judge(answer: string): Verdict {
    const packet = parsePacket(answer);
    if (packet.kind !== 'answer') return { outcome: 'garbled', detail: describeNoAnswer(packet, this.#came) };
    const { answersAs: before } = this.#target;
    const answersAs = packet.serverId === null ? null : String(packet.serverId);
    const isOther = before !== null && answersAs !== null && answersAs !== before;
    if (isOther && this.#options.isSomebodyElse(this.#target, answersAs)) {
      return { outcome: 'somebody-else', answersAs, detail: describeOther(answersAs) };
    }
    return { outcome: packet.digest === DIGEST ? 'pass' : 'wrong-digest', answersAs };
  }

  #onTimeout(): void {
    const detail = describeSilence(this.#isConnected, this.#came, this.#options.timeoutMs);
    this.#finish({ outcome: 'timeout', detail });
  }

  #onClosed(): void {
    this.#finish({ outcome: 'closed', detail: describeEnd('closed', this.#came) });
  }

  #onError(error: NodeJS.ErrnoException): void {
    const outcome = outcomeOf(error, this.#isConnected);
    this.#finish({ outcome, detail: detailOf(outcome, error, this.#came) });
  }

  #finish({ outcome, answersAs = null, detail = '' }: Verdict): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelTimeout();
    if (outcome === 'pass' && !this.#target.keepsAlive) this.#linger();
    else this.#socket.destroy();
    const roundTripMs = this.#options.clock.now() - this.#startedMs;
    this.#resolve({ outcome, roundTripMs, answersAs, detail });
  }

  // As with real requests: a port of ours would be in TIME_WAIT for a minute if we closed first.
  #linger(): void {
    const socket = this.#socket;
    const cancel = this.#options.clock.after(LINGER_MS, () => socket.resetAndDestroy());
    socket.on('end', () => socket.destroy());
    socket.on('close', cancel);
  }
}

function outcomeOf(error: NodeJS.ErrnoException, wasConnected: boolean): ProbeOutcome {
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'refused';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'reset';
    default:
      if (!wasConnected && isLocalError(error.code)) return 'local';
      return explainTls(error) === null ? 'unreachable' : 'untrusted';
  }
}

function detailOf(outcome: ProbeOutcome, error: NodeJS.ErrnoException, came: string): string {
  switch (outcome) {
    case 'reset':
      return describeEnd('reset', came);
    case 'untrusted':
      return explainTls(error) ?? '';
    case 'refused':
      return '';
    default:
      return error.code ?? '';
  }
}
