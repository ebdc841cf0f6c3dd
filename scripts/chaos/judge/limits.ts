// pure · the times that the design promises, from which every limit of a verdict follows.
// Must never be tuned to what a run happened to measure: a limit that moves with the results judges nothing.

import { NUMBERS } from '../../../services/proxy/options.ts';

/** I: how often a server is probed. */
const PROBE_INTERVAL_MS = NUMBERS['health-interval'].value;
/** F: failed probes in a row that evict. */
const FALL = NUMBERS.fall.value;
/** Passed probes in a row that bring an evicted server back. */
const RISE = NUMBERS.rise.value;
/** T: how long a probe waits for its answer. */
export const PROBE_TIMEOUT_MS: number = NUMBERS['health-timeout'].value;
/** The proxy replies within so long, with an answer or an error. */
export const REQUEST_TIMEOUT_MS: number = NUMBERS['request-timeout'].value;

const JUDGED = ['health-interval', 'fall', 'rise', 'health-timeout', 'request-timeout'] as const;
/** What a proxy that is judged has to be started with, whatever the machine's own settings say. */
export const JUDGED_SETTINGS: Readonly<Record<string, string>> = Object.fromEntries(
  JUDGED.map((name) => [`PROXY_${name.toUpperCase().replaceAll('-', '_')}`, String(NUMBERS[name].value)]),
);

/** For everything that is not the proxy's: the Docker call, the scheduler, the event stream. */
export const SLACK_MS = 250;

/** A server that hangs is evicted after so long at most: F·I + T + slack. */
export const HANG_LIMIT_MS = FALL * PROBE_INTERVAL_MS + PROBE_TIMEOUT_MS + SLACK_MS;
/** A server that died is evicted after so long at most: I + T + slack. */
export const DEATH_LIMIT_MS = PROBE_INTERVAL_MS + PROBE_TIMEOUT_MS + SLACK_MS;
/** Most deaths are seen much sooner: the server's session ends with it. */
export const DEATH_P95_LIMIT_MS = 100;
/** A healed server is back in rotation after so long at most: 2·I + T + slack. */
export const READMISSION_LIMIT_MS = RISE * PROBE_INTERVAL_MS + PROBE_TIMEOUT_MS + SLACK_MS;

/** After its healing a server may still be evicted for what happened before. */
export const AFTERMATH_MS = 3000;
/** Requests that the generator could not start in time, as a share of all. */
export const MAX_DROPPED_SHARE = 0.001;
/** With more entries the kernel's connection tracking slows Docker's network calls tenfold. */
export const MAX_CONNTRACK = 50_000;
/** Fewer trials than this bound no 95th percentile with 95 % confidence (0.95^59 < 0.05). */
export const TRIALS_FOR_P95 = 59;
