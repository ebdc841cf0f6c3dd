// pure · what went wrong between the proxy and a server, and who is to blame for it.
// The one place that sorts the system's errors: the forwarder, the prober and the listener share it.

/**
 * How an attempt on a server failed.
 * - `refused`, `connect-timeout`, `unreachable`, `congested`, `local`: the connection never stood, nothing was sent
 * - `reset`, `closed`, `garbled`: it broke, or what came is no answer
 * - `wrong-digest`: the answer is complete and wrong; `slipped`: it carries another client's id
 * - `silent`: no answer within the attempt's time
 * - `stale`: a connection that had been used before broke without a byte of the answer
 * - `distrusted`: an answer before it on the same connection was wrong; `evicted`: the server was taken out meanwhile
 */
export type FailureKind =
  | 'refused'
  | 'connect-timeout'
  | 'unreachable'
  | 'congested'
  | 'local'
  | 'reset'
  | 'closed'
  | 'garbled'
  | 'wrong-digest'
  | 'slipped'
  | 'silent'
  | 'stale'
  | 'distrusted'
  | 'evicted';

/** `local` is the proxy's own machine: it has run out of descriptors, ports or memory. */
export type Blame = 'server' | 'local' | 'nobody';

const BLAME: Record<FailureKind, Blame> = {
  refused: 'server',
  'connect-timeout': 'server',
  unreachable: 'server',
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
};

/** Whom a failure is held against. */
export function blameOf(kind: FailureKind): Blame {
  return BLAME[kind];
}

// errno(3): the first three and the last run out per process or machine, EADDRNOTAVAIL when no local port is left.
const LOCAL_CODES: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'EADDRNOTAVAIL', 'ENOMEM']);

/** Whether an error of the system says that this machine has run out of something. */
export function isLocalError(code: string | undefined): boolean {
  return code !== undefined && LOCAL_CODES.has(code);
}

/**
 * The kind of failure that an error on a connection to a server means.
 * @param code         the system's, such as `ECONNRESET`
 * @param wasConnected whether the connection had stood
 */
export function failureOf(code: string | undefined, wasConnected: boolean): FailureKind {
  if (code === 'ECONNREFUSED') return 'refused';
  if (!wasConnected && isLocalError(code)) return 'local';
  return wasConnected || code === 'ECONNRESET' ? 'reset' : 'unreachable';
}
