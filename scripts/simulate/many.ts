// pure · what many proxies and many servers cost each other, by arithmetic, and how evenly subsets use the servers, by drawing them.
import { NUMBERS } from '../../services/proxy/options.ts';
import { HEARTBEAT_MS } from '../../services/proxy/registration/sessions.ts';
import { rankOf } from '../../services/proxy/registration/subset.ts';
import { keyOf } from '../../services/proxy/servers/upstream.ts';
import { count, decimal, percent, textTable } from '../kit/words.ts';

// CPU of a proxy over real sockets, the kernel's share included: docs/scaling.md says how it was measured.
const PROBE_MICROS = 140;
const HEARTBEAT_MICROS = 30;
const SUBSET = 20;
const POLICIES = 10;
const SIZES = [
  [1, 1000],
  [3, 100],
  [3, 1000],
  [3, 10_000],
  [10, 1000],
  [10, 10_000],
] as const;
const DRAWN_PROXIES = [3, 10, 30, 100];
const DRAWN_SERVERS = [40, 100, 1000];
const DRAWS = 10;

/** `subset` is 0 where each proxy uses all servers. */
export type Fleet = { proxies: number; servers: number; policies: number; subset: number };

/** What they do in a second at the default settings; `proxyShare` is each proxy's part of a processor. */
export function costOf({ proxies, servers, policies, subset }: Fleet) {
  const probed = subset === 0 ? servers : Math.min(servers, policies * subset);
  const probesPerS = (proxies * probed * 1000) / NUMBERS['health-interval'].value;
  const heartbeatsPerS = (proxies * servers * 1000) / HEARTBEAT_MS;
  const micros = probesPerS * PROBE_MICROS + heartbeatsPerS * HEARTBEAT_MICROS;
  return { probesPerS, heartbeatsPerS, proxyShare: micros / proxies / 1e6 };
}

/**
 * How many of some proxies use each server of one policy, drawn several times.
 * @returns `least` and `most` in relation to the mean, both means over the draws, and the part of the servers that no proxy uses
 */
export function evennessOf({ proxies, servers, subset }: Omit<Fleet, 'policies'>) {
  const keys = Array.from({ length: servers }, (_, id) => keyOf({ policy: '1', id }));
  const mean = (proxies * Math.min(subset, servers)) / servers;
  const sums = { least: 0, most: 0, unused: 0 };
  for (let draw = 0; draw < DRAWS; draw += 1) {
    const users = new Map(keys.map((key) => [key, 0]));
    for (let proxy = 0; proxy < proxies; proxy += 1) {
      const ranked = keys.map((key) => ({ key, rank: rankOf(`draw ${draw}, proxy ${proxy}`, key) }));
      for (const { key } of ranked.sort((a, b) => a.rank - b.rank).slice(0, subset))
        users.set(key, (users.get(key) ?? 0) + 1);
    }
    const counts = [...users.values()];
    sums.least += Math.min(...counts) / mean;
    sums.most += Math.max(...counts) / mean;
    sums.unused += counts.filter((times) => times === 0).length / servers;
  }
  return { mean, least: sums.least / DRAWS, most: sums.most / DRAWS, unused: sums.unused / DRAWS };
}

/** The fleets of both tables, with what comes of them. */
export function measureMany() {
  const costs = SIZES.flatMap(([proxies, servers]) =>
    [0, SUBSET].map((subset) => {
      const fleet: Fleet = { proxies, servers, policies: POLICIES, subset };
      return { ...fleet, ...costOf(fleet) };
    }),
  );
  const draws = DRAWN_SERVERS.flatMap((servers) =>
    DRAWN_PROXIES.map((proxies) => {
      const fleet = { proxies, servers, subset: SUBSET };
      return { ...fleet, ...evennessOf(fleet) };
    }),
  );
  return { costs, draws };
}

/** The same as text. */
export function formatMany({ costs, draws }: ReturnType<typeof measureMany>): string {
  const costRows = costs.map(({ proxies, servers, subset, probesPerS, heartbeatsPerS, proxyShare }) => [
    ...[count(proxies), count(servers), subset === 0 ? 'all' : count(subset)],
    ...[count(probesPerS), count(heartbeatsPerS), percent(proxyShare)],
  ]);
  const drawRows = draws.map(({ proxies, servers, mean, least, most, unused }) => [
    ...[count(proxies), count(servers), decimal(mean)],
    ...[decimal(least), decimal(most), percent(unused)],
  ]);
  const costHead = ['proxies', 'servers', 'subset', 'probes/s', 'heartbeats/s', 'CPU of each proxy'];
  const drawHead = ['proxies', 'servers', 'proxies a server', 'least / mean', 'most / mean', 'unused'];
  return [
    `All of them in a second, servers in ${POLICIES} policies; CPU with ${PROBE_MICROS} µs a probe and ${HEARTBEAT_MICROS} µs a heartbeat, of one processor:`,
    '',
    ...textTable([costHead, ...costRows], 'r'),
    '',
    `How many proxies use each server of one policy with --subset ${SUBSET}, means of ${DRAWS} draws:`,
    '',
    ...textTable([drawHead, ...drawRows], 'r'),
  ].join('\n');
}
