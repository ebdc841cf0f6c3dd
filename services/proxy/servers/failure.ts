// What went wrong between the proxy and a server, and who is to blame. No other file sorts the system's errors.
import { explainTls } from '../../shared/tls.ts';

/**
 * How an attempt on a server failed.
 * - `refused`, `connect-timeout`, `unreachable`, `congested`, `local`: the connection never stood, nothing was sent
 * - `untrusted`: its TLS is not what it has to be
 * - `reset`, `closed`, `garbled`: it broke, or what came is no answer
 * - `wrong-digest`: the answer is complete and wrong; `slipped`: it carries another client's id
 * - `silent`: no answer within the attempt's time
 * - `stale`: a connection that had been used before broke without a byte of the answer
 * - `distrusted`: an answer before it on the same connection was wrong; `evicted`: the server was taken out meanwhile
 */
export type FailureKind = keyof typeof BLAME;

/** So long after the proxy's own machine has lacked a port or a descriptor it may have one again: another connection has ended. */
export const LACK_LASTS_MS = 250;

/** `local` is the proxy's own machine: it has run out of descriptors, ports or memory. */
export type Blame = 'server' | 'local' | 'nobody';

const BLAME = {
  refused: 'server',
  'connect-timeout': 'server',
  unreachable: 'server',
  untrusted: 'server',
  congested: 'nobody',
  local: 'local',
  reset: 'server',
  closed: 'server',
  garbled: 'server',
  'wrong-digest': 'server',
  slipped: 'server',
  silent: 'server',
  stale: 'nobody',
  distrusted: 'nobody',
  evicted: 'nobody',
} satisfies Record<string, Blame>;

/** What a health probe came to; `somebody-else`: the answer has the id of another server. */
export type ProbeOutcome = 'pass' | ProbeFailure;
export type ProbeFailure =
  | Extract<
      FailureKind,
      'refused' | 'reset' | 'closed' | 'unreachable' | 'garbled' | 'wrong-digest' | 'untrusted' | 'local'
    >
  | 'timeout'
  | 'somebody-else';

export const FAILURE_KINDS = Object.keys(BLAME) as FailureKind[];

export function blameOf(kind: FailureKind): Blame {
  return BLAME[kind];
}

// errno(3): the first three and the last run out per process or machine, EADDRNOTAVAIL when no local port is left.
const LOCAL_CODES: ReadonlySet<string | undefined> = new Set([
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'EADDRNOTAVAIL',
  'ENOMEM',
]);

/**
 * The kind of failure that an error on a connection to a server means.
 * @param error        the system's, or that of TLS
 * @param wasConnected whether the connection had stood
 */
export function failureOf(
  error: NodeJS.ErrnoException,
  wasConnected: boolean,
): Extract<FailureKind, ProbeFailure> {
  const { code } = error;
  if (code === 'ECONNREFUSED') return 'refused';
  if (!wasConnected && LOCAL_CODES.has(code)) return 'local';
  if (explainTls(error) !== null) return 'untrusted';
  return wasConnected || code === 'ECONNRESET' ? 'reset' : 'unreachable';
}
