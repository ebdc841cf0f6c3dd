// Whether what a base says of the product is so: its ports, paths, metrics, files, times and sizes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IContainer } from 'kubernetes-models/v1/Container';
import { ROOT } from '../../scripts/kit/project.ts';
import { FAMILIES } from '../../services/proxy/metrics/exposition.ts';
import { LOOK_UP_MS } from '../../services/server/announce.ts';
import { MIN_TOKEN_BYTES } from '../../services/shared/proof.ts';
import { ownVersion } from '../../services/shared/version.ts';
import { type Base, ofKind, type Pods } from './base.ts';
import { allowedConnections } from './network.ts';
import { portNumber, selects } from './references.ts';
import { type ProxyRole, type Roles, rolesOf, SERVER_IN_COMPOSE, type ServerRole } from './roles.ts';

export type Facts = {
  /** The paths that the status port of a running proxy answers. */
  paths: readonly string[];
  /** A file with a token that is long enough. */
  tokenFile: string;
};

type Probe = NonNullable<IContainer['livenessProbe']>;

const MS_PER_S = 1000;
/** How long a DNS cache may keep a name: the time to live that CoreDNS gives. */
const DNS_CACHE_MS = 30_000;
/** Between the end of a drain and that of the process: the last replies. */
const LAST_REPLIES_MS = 2_000;
const BYTES_PER_CONNECTION = 65_536;
const BYTES_PER_MI = 1_048_576;
/** What each probe has to ask. A proxy that drains is not ready, and must not be killed for it. */
const PROBE_PATHS = {
  startupProbe: '/healthz',
  livenessProbe: '/healthz',
  readinessProbe: '/readyz',
} as const;
const METRICS_PATH = '/metrics';

/** What a base says of the product that is not so, and what the product needs that the base does not give. */
export function productProblems(base: Base, { paths, tokenFile }: Facts): string[] {
  const roles = rolesOf(base, tokenFile);
  const { proxies, servers, problems } = roles;
  return [
    ...problems,
    ...[...proxies, ...servers].flatMap(({ pods }) => podProblems(pods)),
    ...proxies.flatMap((proxy) => proxyProblems(proxy, paths)),
    ...servers.flatMap((server) => serverProblems(server, roles, base)),
    ...clientProblems(roles, base),
    ...scalerProblems(base),
    ...connectionProblems(roles, base),
    ...[...base.secrets].flatMap(([name, values]) =>
      Object.values(values).every(({ length }) => length < MIN_TOKEN_BYTES)
        ? []
        : [
            `Secret ${name}: a token in the repository is known to everybody: it must be too short to be taken`,
          ],
    ),
  ];
}

function podProblems({ where, spec, container }: Pods): string[] {
  const { limits, requests } = container.resources ?? {};
  const { runAsUser, runAsGroup } = spec.securityContext ?? {};
  const user = /^USER (.+)$/m.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))?.[1];
  return [
    ...(container.image === `policy-proxy:${ownVersion()}`
      ? []
      : [`${where}: the image is not policy-proxy:${ownVersion()}`]),
    ...(`${runAsUser}:${runAsGroup}` === user ? [] : [`${where}: the image is made for user ${user}`]),
    ...(bytesOf(requests?.memory) <= bytesOf(limits?.memory)
      ? []
      : [`${where}: its limit on memory is below what it asks for`]),
  ];
}

function proxyProblems({ pods, options }: ProxyRole, paths: readonly string[]): string[] {
  const { where, spec, container, annotations } = pods;
  const { port, adminPort, adminHost, maxConnections, drainTimeoutMs } = options;
  const preStopS = container.lifecycle?.preStop?.sleep?.seconds ?? 0;
  const graceMs = (spec.terminationGracePeriodSeconds ?? 30) * MS_PER_S;
  const neededMs = preStopS * MS_PER_S + drainTimeoutMs + LAST_REPLIES_MS;
  const found: [isSo: boolean, what: string][] = [
    [portsOf(pods) === [port, adminPort].join(), `its ports are not ${port} and ${adminPort}`],
    [adminHost === '0.0.0.0', 'the status port is not reached from outside of the pod: PROXY_ADMIN_HOST'],
    [preStopS > 0, 'it is stopped while nodes still send new connections: no preStop'],
    [graceMs >= neededMs, `it is killed after ${graceMs} ms, and may need ${neededMs} ms to stop`],
    [
      (container.readinessProbe?.initialDelaySeconds ?? 0) * MS_PER_S > DNS_CACHE_MS + LOOK_UP_MS,
      'it is ready before all servers have found it',
    ],
    [
      bytesOf(container.resources?.limits?.memory) >= maxConnections * BYTES_PER_CONNECTION,
      'its memory is too small for --max-connections',
    ],
    [annotations['prometheus.io/scrape'] === 'true', 'Prometheus does not scrape it'],
    [
      annotations['prometheus.io/path'] === METRICS_PATH && paths.includes(METRICS_PATH),
      'Prometheus asks a path that there is not',
    ],
    [
      annotations['prometheus.io/port'] === String(adminPort),
      'Prometheus asks another port than the status port',
    ],
    ...Object.entries(PROBE_PATHS).map(([kind, path]): [boolean, string] => {
      const { httpGet } = container[kind as keyof typeof PROBE_PATHS] ?? {};
      const { port: asked, ...rest } = httpGet ?? {};
      const isRight = JSON.stringify(rest) === JSON.stringify({ path }) && paths.includes(path);
      return [
        isRight && portNumber(pods, asked) === adminPort,
        `its ${kind} does not ask ${path} on the status port`,
      ];
    }),
  ];
  return found.filter(([isSo]) => !isSo).map(([, what]) => `${where}: ${what}`);
}

function serverProblems(
  { pods, environment, options }: ServerRole,
  { proxies }: Roles,
  base: Base,
): string[] {
  const { where, spec, container, labels } = pods;
  const graceMs = (spec.terminationGracePeriodSeconds ?? 30) * MS_PER_S;
  const neededMs = Number.parseInt(SERVER_IN_COMPOSE.stop_grace_period, 10) * MS_PER_S;
  const healthcheck = SERVER_IN_COMPOSE.healthcheck.test.slice(1).with(-1, String(options.port)).join(' ');
  const [, host, port] = /^([^:]+):(\d+)$/.exec(environment.SERVER_PROXY ?? '') ?? [];
  const peers = ofKind(base, 'Service').find(({ object }) => object.metadata.name === host)?.object.spec;
  const isForAll = peers?.clusterIP === 'None' && peers.publishNotReadyAddresses === true;
  const isOfProxies = proxies.every((proxy) =>
    selects({ matchLabels: peers?.selector ?? {} }, proxy.pods.labels),
  );
  const found: [isSo: boolean, what: string][] = [
    [portsOf(pods) === String(options.port), `its port is not ${options.port}`],
    [graceMs > neededMs, `it is killed after ${graceMs} ms, and may need ${neededMs} ms to stop`],
    [options.controlPort === null, 'whoever reaches its control port can break it: SERVER_FAULTS'],
    [
      labels['policy-proxy/policy'] === options.policy,
      `it serves policy ${options.policy}, and its label says another`,
    ],
    [isForAll && isOfProxies, `${host} does not name every proxy, ready or not`],
    [proxies.every((proxy) => String(proxy.options.port) === port), `the proxies are not on port ${port}`],
    ...(['startupProbe', 'livenessProbe'] as const).map((kind): [boolean, string] => {
      const { exec, timeoutSeconds = 1 } = container[kind] ?? ({} as Probe);
      return [
        exec?.command?.join(' ') === healthcheck && timeoutSeconds > 1,
        `its ${kind} is not "${healthcheck}", with time for it`,
      ];
    }),
  ];
  return found.filter(([isSo]) => !isSo).map(([, what]) => `${where}: ${what}`);
}

function clientProblems({ proxies }: Roles, base: Base): string[] {
  return proxies.flatMap(({ pods, options }) => {
    const isThere = ofKind(base, 'Service').some(({ object: { spec } }) => {
      const isOfReady = spec?.clusterIP === undefined && !spec?.publishNotReadyAddresses;
      const ports = (spec?.ports ?? []).map(({ port }) => port);
      return (
        isOfReady &&
        selects({ matchLabels: spec?.selector ?? {} }, pods.labels) &&
        ports.join() === String(options.port)
      );
    });
    return isThere
      ? []
      : [`${pods.where}: no Service with an address of its own for clients, on port ${options.port}`];
  });
}

// A counter only grows: scaled by one, there are as many proxies as may be before long.
function scalerProblems(base: Base): string[] {
  const gauges = FAMILIES.filter(({ type }) => type === 'gauge').map(({ name }) => name);
  return ofKind(base, 'HorizontalPodAutoscaler').flatMap(({ where, object: { spec } }) => {
    const metrics = spec?.metrics ?? [];
    if (metrics.length !== 1)
      return [`${where}: one metric is needed, and with several the least is never scaled down by`];
    return metrics.flatMap(({ type, pods }) => {
      if (type !== 'Pods' || pods === undefined) return [`${where}: the metric is none of its pods`];
      const { metric, target } = pods;
      return [
        ...(gauges.includes(metric.name) ? [] : [`${where}: the proxy has no gauge ${metric.name}`]),
        ...(target.type === 'AverageValue' && target.averageValue !== undefined
          ? []
          : [`${where}: pods have an AverageValue`]),
      ];
    });
  });
}

function connectionProblems({ proxies, servers }: Roles, base: Base): string[] {
  const all = [...proxies, ...servers];
  const needed = new Set([
    ...proxies.flatMap(({ pods, options }) => [
      ...['anyone', 'Prometheus', ...servers.map((server) => server.pods.name)].map(
        (from) => `${from} → ${pods.name}:${options.port}`,
      ),
      `Prometheus → ${pods.name}:${options.adminPort}`,
      ...servers.map((server) => `${pods.name} → ${server.pods.name}:${server.options.port}`),
    ]),
    ...all.flatMap(({ pods }) => [`${pods.name} → DNS:53`, `${pods.name} → DNS:53/UDP`]),
    // The well-known port is open to DNS as it is to anyone.
    ...proxies.map(({ pods, options }) => `DNS → ${pods.name}:${options.port}`),
  ]);
  const allowed = new Set(allowedConnections(base));
  return [
    ...[...needed.difference(allowed)].map(
      (connection) => `NetworkPolicy: not allowed, and needed: ${connection}`,
    ),
    ...[...allowed.difference(needed)].map(
      (connection) => `NetworkPolicy: allowed, and not needed: ${connection}`,
    ),
  ];
}

function portsOf({ container }: Pods): string {
  return (container.ports ?? []).map(({ containerPort }) => containerPort).join();
}

function bytesOf(quantity: string | number | undefined): number {
  const [, number = '0', unit] = /^(\d+)(Mi|Gi)$/.exec(String(quantity)) ?? [];
  return Number(number) * BYTES_PER_MI * (unit === 'Gi' ? 1024 : 1);
}
