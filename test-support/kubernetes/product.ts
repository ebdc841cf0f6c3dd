// Whether what a base says of the product is so: its ports, paths, metrics, files, times and sizes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IContainer } from 'kubernetes-models/v1/Container';
import { ROOT } from '../../scripts/kit/project.ts';
import { FAMILIES } from '../../services/proxy/metrics/exposition.ts';
import { LOOK_UP_MS } from '../../services/server/announce.ts';
import { MIN_TOKEN_BYTES } from '../../services/shared/proof.ts';
import { ownVersion } from '../../services/shared/version.ts';
import { type Base, ofKind, type Pods, podsOf, unmet } from './base.ts';
import { allowedConnections, STRANGER } from './network.ts';
import { podsWith, portNumber } from './references.ts';
import {
  POLICIES,
  type ProxyRole,
  type Roles,
  rolesOf,
  SERVER_IN_COMPOSE,
  type ServerRole,
} from './roles.ts';

export type Facts = {
  /** The paths that the status port of a running proxy answers. */
  paths: readonly string[];
  /** A file with a token that is long enough. */
  tokenFile: string;
};

type Probe = NonNullable<IContainer['livenessProbe']>;
type Rule = [isSo: boolean, otherwise: string];
type HostPort = { host: string; port: number };

const IMAGE = `policy-proxy:${ownVersion()}`;
const DOCKERFILE = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
const IMAGE_USER = /^USER (.+)$/m.exec(DOCKERFILE)?.[1];
const WORK_FOLDER = /^WORKDIR (.+)$/m.exec(DOCKERFILE)?.[1];
const MS_PER_S = 1000;
/** How long a DNS cache may keep a name: the time to live that CoreDNS gives. */
const DNS_CACHE_MS = 30_000;
/** What stopping takes beside its options: the look-up of the other proxies, and the last replies. */
const AROUND_STOP_MS = 3_000;
/** For so long a role may take to start, and stand still, before it is started anew: from, to. */
const PATIENCE_S = [20, 300] as const;
/** A Deployment has failed when it makes no progress for so long: Kubernetes' own default. */
const PROGRESS_S = 600;
const BYTES_PER_CONNECTION = 65_536;
const BYTES_PER_MI = 1_048_576;
/** What each probe has to ask. A proxy that stops is not ready, and must not be killed for it. */
const [HEALTH, READY, METRICS] = ['/healthz', '/readyz', '/metrics'];

/** What a base says of the product that is not so, and what the product needs that the base does not give. */
export function productProblems(base: Base, { paths, tokenFile }: Facts): string[] {
  const roles = rolesOf(base, tokenFile);
  const { proxies, servers, problems } = roles;
  return [
    ...problems,
    ...podsOf(base).flatMap(podProblems),
    ...proxies.flatMap((proxy) => proxyProblems(proxy, roles, base, paths)),
    ...servers.flatMap((server) => serverProblems(server, roles, base)),
    ...unmet('all servers', [
      [
        POLICIES.every((policy) => servers.some(({ options }) => options.policy === policy)),
        `the policies ${POLICIES} are not all served`,
      ],
    ]),
    ...scalerProblems(base),
    ...connectionProblems(roles, base),
    ...[...base.secrets].flatMap(([name, values]) => {
      const isNoToken = Object.values(values).every(({ length }) => length < MIN_TOKEN_BYTES);
      return unmet(name, [[isNoToken, 'it is known to everybody, and long enough to be taken for a token']]);
    }),
  ];
}

function podProblems({ where, spec, container }: Pods): string[] {
  const { image, resources, startupProbe, livenessProbe } = container;
  const { runAsUser, runAsGroup } = spec.securityContext ?? {};
  const [limit, request] = [resources?.limits?.memory, resources?.requests?.memory].map(bytesOf);
  return unmet(where, [
    [image === IMAGE, `its image is not ${IMAGE}`],
    [`${runAsUser}:${runAsGroup}` === IMAGE_USER, `its image is made for user ${IMAGE_USER}`],
    [
      request !== undefined && limit !== undefined && request <= limit,
      'its limit on memory is below its request',
    ],
    [coresOf(resources?.requests?.cpu) <= 1, 'it asks for more CPU than one process can use'],
    [isWithin(PATIENCE_S, patienceS(startupProbe)), 'it has too little or too much time to start'],
    [isWithin(PATIENCE_S, patienceS(livenessProbe)), 'it may stand still for too short or too long a time'],
  ]);
}

function proxyProblems(
  { pods, options }: ProxyRole,
  { proxies }: Roles,
  base: Base,
  paths: readonly string[],
): string[] {
  const { where, spec, container, annotations } = pods;
  const { port, adminPort, adminHost, peers, lameDuckMs, drainTimeoutMs } = options;
  const { startupProbe, readinessProbe, livenessProbe, lifecycle, resources } = container;
  const preStopS = lifecycle?.preStop?.sleep?.seconds ?? 0;
  const asks = (probe: Probe | undefined, path: string): boolean =>
    paths.includes(path) &&
    probe?.httpGet?.path === path &&
    portNumber(pods, probe.httpGet.port) === adminPort;
  const scraped = ['scrape', 'path', 'port'].map((key) => annotations[`prometheus.io/${key}`]);
  const delayMs = (readinessProbe?.initialDelaySeconds ?? 0) * MS_PER_S;
  return unmet(where, [
    [portsOf(pods) === `${port},${adminPort}`, `its ports are not ${port} and ${adminPort}`],
    [adminHost === '0.0.0.0', 'no probe reaches the status port: PROXY_ADMIN_HOST'],
    [asks(startupProbe, HEALTH), `its startupProbe does not ask ${HEALTH} of the status port`],
    [asks(livenessProbe, HEALTH), `its livenessProbe does not ask ${HEALTH} of the status port`],
    [asks(readinessProbe, READY), `its readinessProbe does not ask ${READY} of the status port`],
    [patienceS(readinessProbe) * MS_PER_S < lameDuckMs, 'it gets new connections after its --lame-duck'],
    [delayMs > DNS_CACHE_MS + LOOK_UP_MS, 'it is ready before all servers have found it'],
    [delayMs < PROGRESS_S * MS_PER_S, 'it is ready only after Kubernetes has given it up'],
    [preStopS > 0, 'it stops while nodes still send it new connections: no preStop'],
    ...graceRules(pods, preStopS * MS_PER_S + lameDuckMs + drainTimeoutMs + AROUND_STOP_MS),
    [peers.length > 0 && lameDuckMs > 0, 'nobody is told when it stops: PROXY_PEERS, PROXY_LAME_DUCK'],
    ...peers.map((peer) => nameRule(peer, 'the ready proxies', proxies, base)),
    [
      bytesOf(resources?.limits?.memory) >= options.maxConnections * BYTES_PER_CONNECTION,
      'its memory is too small for --max-connections',
    ],
    [
      paths.includes(METRICS) && scraped.join() === `true,${METRICS},${adminPort}`,
      'Prometheus does not find it',
    ],
    [
      ofKind(base, 'Service').some(({ object: { spec } }) => {
        const isForClients = spec?.clusterIP === undefined && !spec?.publishNotReadyAddresses;
        return isForClients && podsWith(spec?.selector, [pods]).length > 0 && spec?.ports?.[0]?.port === port;
      }),
      `no Service has an address for clients, on port ${port}`,
    ],
    [spec.volumes?.length === 1, 'it mounts something else than the token'],
  ]);
}

function serverProblems({ pods, options }: ServerRole, { proxies }: Roles, base: Base): string[] {
  const { where, container, labels } = pods;
  const { port, policy, controlPort } = options;
  const { stop_grace_period: grace, healthcheck } = SERVER_IN_COMPOSE;
  // Kubernetes promises no working directory to a probe.
  const [, node, script, role] = healthcheck.test;
  const command = `${node} ${WORK_FOLDER}/${script} ${role} ${port}`;
  // It starts a Node.
  const asks = ({ exec, timeoutSeconds = 1 }: Probe = {}): boolean =>
    exec?.command?.join(' ') === command && timeoutSeconds > 1;
  return unmet(where, [
    [portsOf(pods) === String(port), `its port is not ${port}`],
    [labels['policy-proxy/policy'] === policy, `it serves policy ${policy}, and its label says another`],
    [controlPort === null, 'whoever reaches its control port can break it: SERVER_FAULTS'],
    [asks(container.startupProbe), `its startupProbe is not "${command}", with time for it`],
    [asks(container.livenessProbe), `its livenessProbe is not "${command}", with time for it`],
    ...graceRules(pods, Number.parseInt(grace, 10) * MS_PER_S),
    ...options.proxies.map((proxy) => nameRule(proxy, 'all proxies', proxies, base)),
  ]);
}

function graceRules({ spec }: Pods, neededMs: number): Rule[] {
  const graceMs = (spec.terminationGracePeriodSeconds ?? 30) * MS_PER_S;
  return [[graceMs >= neededMs, `it is killed after ${graceMs} ms, and may need ${neededMs} ms to stop`]];
}

// A name for servers stands for proxies that are not ready, too: one is ready only after servers have found it.
function nameRule(
  { host, port }: HostPort,
  what: 'the ready proxies' | 'all proxies',
  proxies: readonly ProxyRole[],
  base: Base,
): Rule {
  const spec = ofKind(base, 'Service').find(({ object }) => object.metadata.name === host)?.object.spec;
  const isForAll = spec?.publishNotReadyAddresses === true;
  const isHeadless = spec?.clusterIP === 'None' && isForAll === (what === 'all proxies');
  const named = podsWith(spec?.selector, podsOf(base)).map(({ name }) => name);
  const isRight =
    spec?.ports?.[0]?.port === port &&
    proxies.every(({ pods, options }) => named.includes(pods.name) && options.port === port);
  return [isHeadless && isRight, `${host}:${port} is not the name of ${what}`];
}

// A counter only grows: scaled by one, there are as many proxies as may be before long.
function scalerProblems(base: Base): string[] {
  const gauges = FAMILIES.filter(({ type }) => type === 'gauge').map(({ name }) => name);
  return ofKind(base, 'HorizontalPodAutoscaler').flatMap(({ where, object: { spec } }) => {
    const [first, ...more] = spec?.metrics ?? [];
    const { metric, target } = first?.pods ?? {};
    return unmet(where, [
      [
        first?.type === 'Pods' && gauges.includes(metric?.name ?? ''),
        `the proxy has no gauge ${metric?.name}`,
      ],
      [target?.type === 'AverageValue' && Number(target.averageValue) > 0, 'there is no AverageValue for it'],
      // While one of them can't be had, nothing is scaled down.
      [more.length === 0, 'there is more than one metric'],
    ]);
  });
}

function connectionProblems({ proxies, servers }: Roles, base: Base): string[] {
  const { everybody, leaving, entering } = allowedConnections(base);
  const to = ({ pods, options }: ProxyRole | ServerRole): string => `${pods.name}:${options.port}`;
  const toServers = proxies.flatMap(({ pods }) => servers.map((server) => `${pods.name} → ${to(server)}`));
  const toProxies = proxies.flatMap((proxy) => servers.map(({ pods }) => `${pods.name} → ${to(proxy)}`));
  const clients = proxies.flatMap((proxy) => everybody.map((name) => `${name} → ${to(proxy)}`));
  const scrapes = proxies.map(({ pods, options }) => `Prometheus → ${pods.name}:${options.adminPort}`);
  const lookUps = [...podsOf(base).map(({ name }) => name), STRANGER].flatMap((name) =>
    ['DNS', 'the DNS cache of the node'].flatMap((dns) => [`${name} → ${dns}:53`, `${name} → ${dns}:53/UDP`]),
  );
  return [
    ...differences('may leave', leaving, new Set([...toServers, ...toProxies, ...lookUps])),
    ...differences('may enter', entering, new Set([...toServers, ...clients, ...scrapes])),
  ];
}

function differences(how: string, allowed: ReadonlySet<string>, needed: ReadonlySet<string>): string[] {
  return [
    ...[...needed.difference(allowed)].map((each) => `NetworkPolicy: ${how}, and does not: ${each}`),
    ...[...allowed.difference(needed)].map((each) => `NetworkPolicy: ${how}, and need not: ${each}`),
  ];
}

/** For how long a probe may fail in a row; with Kubernetes' own defaults where it says nothing. */
function patienceS({ periodSeconds = 10, failureThreshold = 3 }: Probe = {}): number {
  return periodSeconds * failureThreshold;
}

function isWithin([least, most]: readonly [number, number], value: number): boolean {
  return value >= least && value <= most;
}

function portsOf({ container }: Pods): string {
  return (container.ports ?? []).map(({ containerPort }) => containerPort).join();
}

function bytesOf(quantity: string | number | undefined): number {
  const [, number, unit] = /^(\d+)(Mi|Gi)$/.exec(String(quantity)) ?? [];
  return Number(number) * BYTES_PER_MI * (unit === 'Gi' ? 1024 : 1);
}

function coresOf(quantity: string | number | undefined): number {
  const [, number, milli] = /^(\d+)(m?)$/.exec(String(quantity)) ?? [];
  return Number(number) / (milli === '' ? 1 : 1000);
}
