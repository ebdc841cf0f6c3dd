// shell · one health probe over a fresh connection: a complete request, or the original's bare connect.
// Must never throw, never outlast its timeout, and never share a connection with real requests.
import { hash } from 'node:crypto';
import type { Clock } from '../shared/clock.ts';
import { FrameReader } from '../shared/framing.ts';
import { formatRequest, HEALTH_CLIENT_ID, parsePacket } from '../shared/packet.ts';
import { explainTls } from '../shared/tls.ts';
import { isLocalError } from './failure.ts';
import type { ProbeOutcome } from './health.ts';
import type { Network } from './network.ts';

export type ProbeMode = 'request' | 'connect';
export type ProbeTarget = {
  host: string;
  port: number;
  policy: string;
  /** The id in its answers, as text; null when it has not answered yet. */
  answersAs: string | null;
};
export type ProbeResult = {
  outcome: ProbeOutcome;
  roundTripMs: number;
  /** The id in the answer, as text; null without an answer, and where there is none in it. */
  answersAs: string | null;
};

const PAYLOAD = 'Are you healthy?';
const DIGEST = hash('sha1', PAYLOAD);

export type ProbeOptions = {
  /** `request`: healthy means a type 2 answer with the right digest; `connect`: that it accepts a connection. */
  mode: ProbeMode;
  /** For the whole probe, connecting included. */
  timeoutMs: number;
  maxFrameBytes: number;
  network: Network;
  clock: Clock;
};

/** Probes one server. */
export function probe(
  target: ProbeTarget,
  { mode, timeoutMs, maxFrameBytes, network, clock }: ProbeOptions,
): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const startedMs = clock.now();
    const reader = new FrameReader(maxFrameBytes);
    const onConnected = (): void => {
      if (mode === 'connect') finish('pass');
      else socket.write(formatRequest(HEALTH_CLIENT_ID, target.policy, PAYLOAD), 'utf8');
    };
    const onRead = (chunk: Buffer): void => {
      reader.feed(chunk);
      if (reader.next()) {
        const { outcome, answersAs } = judge(reader.bytes.toString('utf8', reader.start, reader.end), target);
        finish(outcome, answersAs);
      }
      if (reader.fault !== null) finish('garbled');
    };
    const socket = network.connect(target.host, target.port, onConnected, onRead);
    let isOver = false;
    const finish = (outcome: ProbeOutcome, answersAs: string | null = null): void => {
      if (isOver) return;
      isOver = true;
      cancelTimeout();
      socket.destroy();
      resolve({ outcome, roundTripMs: clock.now() - startedMs, answersAs });
    };
    // After a stall of this process the answer may lie in the kernel, and timers are served before sockets.
    const cancelTimeout = clock.after(timeoutMs, () => clock.soon(() => finish('timeout')));
    socket.on('error', (error: NodeJS.ErrnoException) => finish(outcomeOf(error)));
    socket.on('end', () => finish('closed'));
    socket.on('close', () => finish('closed'));
  });
}

// Everybody computes the same digest: only the id tells whether it is still this server that has the address.
function judge(answer: string, target: ProbeTarget): { outcome: ProbeOutcome; answersAs: string | null } {
  const packet = parsePacket(answer);
  if (packet.kind !== 'answer') return { outcome: 'garbled', answersAs: null };
  const answersAs = packet.serverId === null ? null : String(packet.serverId);
  if (target.answersAs !== null && answersAs !== target.answersAs)
    return { outcome: 'somebody-else', answersAs };
  return { outcome: packet.digest === DIGEST ? 'pass' : 'wrong-digest', answersAs };
}

function outcomeOf(error: NodeJS.ErrnoException): ProbeOutcome {
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'refused';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'reset';
    default:
      if (isLocalError(error.code)) return 'local';
      return explainTls(error) === null ? 'unreachable' : 'untrusted';
  }
}
