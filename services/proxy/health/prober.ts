// One health probe over a fresh connection: a complete request, or the original's bare connect.
import { hash } from 'node:crypto';
import type { Clock } from '../../shared/clock.ts';
import { DEFAULT_MAX_FRAME_BYTES } from '../../shared/framing.ts';
import { HEALTH_CLIENT_ID, OLD_HEALTH_CLIENT_ID, PROBE_PAYLOAD } from '../../shared/health-probe.ts';
import { formatRequest, type Packet, parsePacket } from '../../shared/packet.ts';
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
  return new Promise((resolve) => start(target, options, resolve));
}

type Verdict = { outcome: ProbeOutcome; answersAs?: string | null; detail?: string };

function start(target: ProbeTarget, options: ProbeOptions, resolve: (result: ProbeResult) => void): void {
  const { host, port, keepsAlive, asksForSession, policyAsWritten } = target;
  const { clock, network, healthTimeoutMs } = options;
  const startedMs = clock.now();
  const reader = new PacketReader(DEFAULT_MAX_FRAME_BYTES, parsePacket, true);
  let came = '';
  let isConnected = false;
  let isOver = false;

  const finish = ({ outcome, answersAs = null, detail = '' }: Verdict): void => {
    if (isOver) return;
    isOver = true;
    cancelTimeout();
    if (outcome === 'pass' && !keepsAlive) linger(socket, clock);
    else socket.destroy();
    resolve({ outcome, roundTripMs: clock.now() - startedMs, answersAs, detail });
  };
  const onConnected = (): void => {
    isConnected = true;
    const clientId = asksForSession ? HEALTH_CLIENT_ID : OLD_HEALTH_CLIENT_ID;
    if (options.probe === 'connect') finish({ outcome: 'pass' });
    else socket.write(formatRequest(clientId, policyAsWritten, PROBE_PAYLOAD), 'utf8');
  };
  const onRead = (chunk: Buffer): void => {
    if (came.length < KEPT_BYTES) came += chunk.toString('latin1', 0, KEPT_BYTES);
    reader.feed(chunk);
    const packet = reader.next();
    if (packet !== null) finish(judge(packet, came, target, options));
  };
  const onTimeout = (): void =>
    finish({ outcome: 'timeout', detail: describeSilence(isConnected, came, healthTimeoutMs) });
  const onClosed = (): void => finish({ outcome: 'closed', detail: describeEnd('closed', came) });
  const onError = (error: NodeJS.ErrnoException): void => {
    const outcome = failureOf(error, isConnected);
    if (outcome === 'refused') finish({ outcome });
    else if (outcome === 'reset') finish({ outcome, detail: describeEnd('reset', came) });
    else finish({ outcome, detail: explainTls(error) ?? error.code ?? '' });
  };

  const socket = network.connect(host, port, onConnected, onRead);
  // After a stall of this process the answer may lie in the kernel, and timers are served before sockets.
  const cancelTimeout = clock.after(healthTimeoutMs, () => clock.soon(onTimeout));
  socket.on('error', onError);
  socket.on('end', onClosed);
  socket.on('close', onClosed);
}

// All servers compute the same digest: only the id shows whether it is still this server that has the address. Workers
// that share a port may each have an id of their own, so another id alone says nothing.
function judge(packet: Packet, came: string, target: ProbeTarget, options: ProbeOptions): Verdict {
  if (packet.kind === 'fault')
    return { outcome: 'garbled', detail: `it answered with what is no packet: ${shown(came)}` };
  if (packet.kind !== 'answer') return { outcome: 'garbled', detail: describeNoAnswer(packet, came) };
  const { answersAs: before } = target;
  const answersAs = packet.serverId === null ? null : String(packet.serverId);
  const isOther = before !== null && answersAs !== null && answersAs !== before;
  if (isOther && options.isAnotherServer(answersAs)) {
    const detail = `it answered as server ${printable(answersAs)}, which is another one`;
    return { outcome: 'somebody-else', answersAs, detail };
  }
  if (packet.digest === DIGEST) return { outcome: 'pass', answersAs };
  return { outcome: 'wrong-digest', answersAs, detail: describeDigest(packet.digest, DIGEST) };
}

// As with real requests: a port of ours would be in TIME_WAIT for a minute if we closed first.
function linger(socket: DialledConnection, clock: Clock): void {
  const cancel = clock.after(LINGER_MS, () => socket.resetAndDestroy());
  socket.on('end', () => socket.destroy());
  socket.on('close', cancel);
}

// What the server did, as clauses that a person can act on. `bytes` is the beginning of what came, as latin1.
function describeNoAnswer(packet: Packet, bytes: string): string {
  return packet.kind === 'error'
    ? `it answered with an error packet: ${quoted(packet.sentence)} (${quoted(packet.code)})`
    : `it answered with a packet that is no answer: ${shown(bytes)}`;
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
  return `it ${how} the connection ${after}`;
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
