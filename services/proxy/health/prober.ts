// One health probe over a fresh connection: a complete request, or the original's bare connect.
import { hash } from 'node:crypto';
import type { Clock } from '../../shared/clock.ts';
import { DEFAULT_MAX_FRAME_BYTES } from '../../shared/framing.ts';
import { OLD_HEALTH_CLIENT_ID, PROBE_PAYLOAD } from '../../shared/health-probe.ts';
import { formatRequest, HEALTH_CLIENT_ID, type Packet, parsePacket } from '../../shared/packet.ts';
import { PacketReader } from '../../shared/packet-reader.ts';
import { printable } from '../../shared/printable.ts';
import { explainTls } from '../../shared/tls.ts';
import type { DialledConnection, Network } from '../network/network.ts';
import type { ProxyOptions } from '../options.ts';
import { failureOf, type ProbeOutcome } from '../servers/failure.ts';
import type { Upstream } from '../servers/upstream.ts';

export type ProbeTarget = Pick<
  Upstream,
  'host' | 'port' | 'policyAsWritten' | 'keepsAlive' | 'asksForSession' | 'answersAs'
>;

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
const SHOWN_BYTES = 40;
const SHOWN_CHARACTERS = 200;
/** Of what comes, so much is kept to be shown. */
const KEPT_BYTES = 64;

/** `probe`: with `request`, healthy means a type 2 answer with the right digest; `healthTimeoutMs` includes connecting. */
export type ProbeOptions = Pick<ProxyOptions, 'probe' | 'healthTimeoutMs'> & {
  /** Whether the id in an answer belongs to another server than the one that is probed. */
  isAnotherServer: (answersAs: string) => boolean;
  network: Network;
  clock: Clock;
};

/** Probes one server; never rejects. */
export function probe(target: ProbeTarget, options: ProbeOptions): Promise<ProbeResult> {
  return new Promise((resolve) => new Probe(target, options, resolve));
}

type Verdict = { outcome: ProbeOutcome; answersAs?: string | null; detail?: string };

class Probe {
  readonly #target: ProbeTarget;
  readonly #options: ProbeOptions;
  readonly #resolve: (result: ProbeResult) => void;
  readonly #startedMs: number;
  readonly #reader = new PacketReader(DEFAULT_MAX_FRAME_BYTES, parsePacket, true);
  readonly #socket: DialledConnection;
  readonly #cancelTimeout: () => void;
  #came = '';
  #isConnected = false;
  #isOver = false;

  constructor(target: ProbeTarget, options: ProbeOptions, resolve: (result: ProbeResult) => void) {
    this.#target = target;
    this.#options = options;
    this.#resolve = resolve;
    const { clock, network, healthTimeoutMs } = options;
    this.#startedMs = clock.now();
    const { host, port } = target;
    this.#socket = network.connect(
      host,
      port,
      () => this.#onConnected(),
      (chunk) => this.#onRead(chunk),
    );
    // After a stall of this process the answer may lie in the kernel, and timers are served before sockets.
    this.#cancelTimeout = clock.after(healthTimeoutMs, () => clock.soon(() => this.#onTimeout()));
    this.#socket.on('error', (error) => this.#onError(error));
    this.#socket.on('end', () => this.#onClosed());
    this.#socket.on('close', () => this.#onClosed());
  }

  #onConnected(): void {
    this.#isConnected = true;
    const { asksForSession, policyAsWritten } = this.#target;
    const clientId = asksForSession ? HEALTH_CLIENT_ID : OLD_HEALTH_CLIENT_ID;
    if (this.#options.probe === 'connect') this.#finish({ outcome: 'pass' });
    else this.#socket.write(formatRequest(clientId, policyAsWritten, PROBE_PAYLOAD), 'utf8');
  }

  #onRead(chunk: Buffer): void {
    if (this.#came.length < KEPT_BYTES) this.#came += chunk.toString('latin1', 0, KEPT_BYTES);
    this.#reader.feed(chunk);
    const packet = this.#reader.next();
    if (packet !== null) this.#finish(this.#judge(packet));
  }

  // All servers compute the same digest: only the id shows whether it is still this server that has the address. Workers
  // that share a port may each have an id of their own, so another id alone says nothing.
  #judge(packet: Packet): Verdict {
    if (packet.kind === 'fault') return { outcome: 'garbled', detail: describeBytes(this.#came) };
    if (packet.kind !== 'answer') return { outcome: 'garbled', detail: describeNoAnswer(packet, this.#came) };
    const { answersAs: before } = this.#target;
    const answersAs = packet.serverId === null ? null : String(packet.serverId);
    const isOther = before !== null && answersAs !== null && answersAs !== before;
    if (isOther && this.#options.isAnotherServer(answersAs)) {
      const detail = `it answered as server ${printable(answersAs)}, which is another one`;
      return { outcome: 'somebody-else', answersAs, detail };
    }
    if (packet.digest === DIGEST) return { outcome: 'pass', answersAs };
    return { outcome: 'wrong-digest', answersAs, detail: describeDigest(packet.digest, DIGEST) };
  }

  #onTimeout(): void {
    const detail = describeSilence(this.#isConnected, this.#came, this.#options.healthTimeoutMs);
    this.#finish({ outcome: 'timeout', detail });
  }

  #onClosed(): void {
    this.#finish({ outcome: 'closed', detail: describeEnd('closed', this.#came) });
  }

  #onError(error: NodeJS.ErrnoException): void {
    const outcome = failureOf(error, this.#isConnected);
    if (outcome === 'refused') this.#finish({ outcome });
    else if (outcome === 'reset') this.#finish({ outcome, detail: describeEnd('reset', this.#came) });
    else this.#finish({ outcome, detail: explainTls(error) ?? error.code ?? '' });
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

// What the server did, as clauses that a person can act on. `bytes` is the beginning of what came, as latin1.
function describeNoAnswer(packet: Packet, bytes: string): string {
  return packet.kind === 'error'
    ? `it answered with an error packet: ${quoted(packet.sentence)} (${quoted(packet.code)})`
    : `it answered with a packet that is no answer: ${shown(bytes)}`;
}

function describeBytes(bytes: string): string {
  return `it answered with what is no packet: ${shown(bytes)}`;
}

/** A digest that is not `wanted`. */
export function describeDigest(digest: string, wanted: string): string {
  if (digest.toLowerCase() === wanted) return 'its hex digits are upper-case, and lower-case ones are wanted';
  return digest.length === wanted.length
    ? `its payload is "${quoted(digest)}", and "${wanted}" is wanted`
    : `${wanted.length} hex digits wanted, ${digest.length} characters came`;
}

function describeEnd(how: 'closed' | 'reset', bytes: string): string {
  const after = bytes === '' ? 'without an answer' : `in the middle of its answer: ${shown(bytes)}`;
  return how === 'closed' ? `it closed the connection ${after}` : `it reset the connection ${after}`;
}

function describeSilence(wasConnected: boolean, bytes: string, timeoutMs: number): string {
  if (!wasConnected) return `it took no connection in ${timeoutMs} ms`;
  return bytes === ''
    ? `it took the connection, and did not answer in ${timeoutMs} ms`
    : `it had not finished its answer after ${timeoutMs} ms: ${shown(bytes)}`;
}

// Nothing that a server sends may move the cursor of a terminal.
function shown(bytes: string): string {
  const text = bytes.slice(0, SHOWN_BYTES).replaceAll(/[^ -~]/g, (byte) => {
    return byte === '\n' ? '\\n' : `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `"${text}${bytes.length > SHOWN_BYTES ? '…' : ''}"`;
}

function quoted(text: string): string {
  const cut = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  return printable(cut.toWellFormed());
}
