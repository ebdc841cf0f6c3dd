// pure · which rows are measured, how, and whether the machine can be asked for them.
// Must never leave out a row without saying why.
import type { GrowthOptions, GrowthPart } from './result.ts';

export type Case = {
  part: Exclude<GrowthPart, 'clients'>;
  servers: number;
  policies: number;
  healthIntervalMs: number;
  pairs: number;
  arrangement: 'in turn' | 'around';
};

export const SIX_SERVERS = { servers: 6, policies: 3 } as const;
export const DEFAULT_HEALTH_INTERVAL_MS = 1000;
/** As good as never within a run. */
export const NO_PROBES_INTERVAL_MS = 3_600_000;

const SERVERS_PER_POLICY = 2;
// More probes than this take a good part of a core from whatever else is measured, and fill the kernel's table of
// tracked connections (where there is one) within a minute or two.
const FLOOD_PROBES_PER_SECOND = 2000;
const FLOOD_PAIRS = 3;
const CALM_PROBES_PER_SECOND = 1000;
// For probes under way, clients, listening sockets and what Node itself has open.
const SPARE_FILES = 2500;
const DEFAULT_MAX_SERVERS = 1024;
const DEFAULT_MAX_CONNECTIONS = 10_000;
const SPARE_CONNECTIONS = 1000;

/** The rows, in the order in which they are measured: floods last, because they leave much behind in the kernel. */
export function planCases(options: GrowthOptions): Case[] {
  const rows = [
    ...(options.parts.includes('servers')
      ? options.serverCounts.map((servers) => ({ part: 'servers' as const, servers, policies: 3 }))
      : []),
    ...(options.parts.includes('policies')
      ? options.policyCounts.map((policies) => {
          return { part: 'policies' as const, servers: policies * SERVERS_PER_POLICY, policies };
        })
      : []),
  ];
  const cases = rows.flatMap((row): Case[] => {
    const atDefault = { ...row, healthIntervalMs: DEFAULT_HEALTH_INTERVAL_MS };
    if (row.servers <= FLOOD_PROBES_PER_SECOND) {
      return [{ ...atDefault, pairs: options.pairs, arrangement: 'in turn' }];
    }
    const calm = { ...row, healthIntervalMs: Math.ceil((row.servers / CALM_PROBES_PER_SECOND) * 1000) };
    return [
      { ...calm, pairs: options.pairs, arrangement: 'in turn' },
      { ...atDefault, pairs: Math.min(options.pairs, FLOOD_PAIRS), arrangement: 'around' },
    ];
  });
  return [...cases.filter((one) => !isFlood(one)), ...cases.filter(isFlood)];
}

/** True for a row whose probes alone are a load. */
export function isFlood({ arrangement }: Case): boolean {
  return arrangement === 'around';
}

/** The flood to try when the machine could not manage this one; null when the next is no flood any more. */
export function smallerFlood(one: Case): Case | null {
  const servers = Math.floor(one.servers / 2);
  return isFlood(one) && servers > FLOOD_PROBES_PER_SECOND ? { ...one, servers } : null;
}

/** Servers, policies and interval in words. */
export function nameOf({
  servers,
  policies,
  healthIntervalMs,
}: Omit<Case, 'part' | 'pairs' | 'arrangement'>): string {
  const interval =
    healthIntervalMs === DEFAULT_HEALTH_INTERVAL_MS ? '' : `, probed every ${healthIntervalMs / 1000} s`;
  const ofPolicies = policies === 1 ? 'one policy' : `${policies} policies`;
  return `${servers} servers under ${ofPolicies}${interval}`;
}

/**
 * How many of the servers can keep a session: each takes one of the proxy's open files, and so does the connection over
 * which it gets its requests.
 * @param openFiles how many the proxy may have
 * @returns null when not even the connections for requests fit
 */
export function sessionsThatFit(servers: number, openFiles: number): number | null {
  const spare = openFiles - SPARE_FILES - servers;
  return spare < 0 ? null : Math.min(servers, spare);
}

// Idle clients are what is measured: none may be closed meanwhile.
const CLIENTS_IDLE_MS = 3_600_000;

/** Why a row is left out. */
export function tooFewFiles(servers: number, openFiles: number): string {
  return `it takes ${servers + SPARE_FILES} open files, and the limit is ${openFiles}: raise it (ulimit -n) and run again`;
}

/** The proxy's options besides its ports: its defaults, but for limits that are too low for this many. */
export function proxyArguments(servers: number, healthIntervalMs: number, clients = 0): string[] {
  const connections = servers + clients + SPARE_CONNECTIONS;
  return [
    ...(healthIntervalMs === DEFAULT_HEALTH_INTERVAL_MS
      ? []
      : ['--health-interval', String(healthIntervalMs)]),
    ...(servers > DEFAULT_MAX_SERVERS ? ['--max-servers', String(servers)] : []),
    ...(connections > DEFAULT_MAX_CONNECTIONS ? ['--max-connections', String(connections)] : []),
    ...(clients > 0 ? ['--idle-timeout', String(CLIENTS_IDLE_MS)] : []),
  ];
}

/** The policies' names, as the stub servers and the generator use them. */
export function policyNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(index + 1));
}
