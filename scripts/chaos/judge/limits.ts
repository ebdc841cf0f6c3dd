// pure · the limits of the verdicts, most of which follow from the options that the proxy is started with.

import { NUMBERS } from '../../../services/proxy/options.ts';
import { variableOf } from '../../../services/shared/config.ts';

const JUDGED = ['health-interval', 'fall', 'rise', 'health-timeout', 'request-timeout', 'hold'] as const;
type JudgedOptions = Readonly<Record<(typeof JUDGED)[number], { value: number }>>;

/** For everything that is not the proxy's: the Docker call, the scheduler, the event stream. */
export const SLACK_MS = 250;

/** The limits that follow from the proxy's options, and the environment variables that start a proxy with these. */
export function limitsFor(options: JudgedOptions) {
  const probeMs = options['health-timeout'].value;
  const probesMs = (count: number): number => count * options['health-interval'].value + probeMs + SLACK_MS;
  return {
    probeMs,
    deathMs: probesMs(1),
    hangMs: probesMs(options.fall.value),
    readmissionMs: probesMs(options.rise.value),
    requestMs: options['request-timeout'].value,
    noServerMs: options.hold.value + 100,
    environment: Object.fromEntries(
      JUDGED.map((name) => [variableOf('PROXY', name), String(options[name].value)]),
    ),
  };
}

const OF_DEFAULTS = limitsFor(NUMBERS);

/** What a proxy that is judged has to be started with, whatever the machine's own settings say. */
export const JUDGED_SETTINGS: Readonly<Record<string, string>> = OF_DEFAULTS.environment;
/** How long a probe waits for its answer. */
export const PROBE_TIMEOUT_MS = OF_DEFAULTS.probeMs;
/** The proxy replies within so long, with an answer or an error. */
export const REQUEST_TIMEOUT_MS = OF_DEFAULTS.requestMs;
/** A server that died is evicted after so long at most: one probe, and slack. */
export const DEATH_LIMIT_MS = OF_DEFAULTS.deathMs;
/** Most deaths are seen much sooner: the server's session ends with it. */
export const DEATH_P95_LIMIT_MS = 100;
/** A server that hangs is evicted after so long at most: as many probes as it takes, and slack. */
export const HANG_LIMIT_MS = OF_DEFAULTS.hangMs;
/** A healed server is back in rotation after so long at most: as many probes as it takes, and slack. */
export const READMISSION_LIMIT_MS = OF_DEFAULTS.readmissionMs;
/** A request to a policy without a server is refused within so long: it is held, and slack. */
export const NO_SERVER_LIMIT_MS = OF_DEFAULTS.noServerMs;

/** A policy all of whose servers were gone is served again so long after the first of them listens. */
export const SERVES_AGAIN_LIMIT_MS = 600;

/** After its healing a server may still be evicted for what happened before. */
export const AFTERMATH_MS = 3000;
/** Requests that the generator could not start in time, as a share of all. */
export const MAX_DROPPED_SHARE = 0.001;
/** With more entries the kernel's connection tracking slows Docker's network calls tenfold. */
export const MAX_CONNTRACK = 50_000;
