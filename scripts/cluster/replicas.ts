// pure · which containers are replicas of a Compose project, and how they are named: the only ones that chaos may touch.
import type { ContainerInfo } from 'dockerode';
import { compareNames } from '../kit/words.ts';

const LABEL = 'com.docker.compose';
const SHORT_ID = 12;

/** One container of the cluster, as it was when it was listed. */
export type Replica = Readonly<{
  /** As Compose numbers it, without the project: `server-p1-1`, `proxy-1`. */
  name: string;
  /** `server-p1`, `proxy`. */
  service: string;
  /** The container's full id. */
  containerId: string;
  /** What the server registers as: its container's host name, which is the short id. */
  serverId: string;
  /** null for what is no server. */
  policy: string | null;
  /** Docker's word: created, running, paused, restarting, removing, exited, dead. */
  state: string;
  /** IPv4 on the project's network; null while it runs not or is cut off. */
  address: string | null;
}>;

/** What the list of containers says of a replica. */
export type FoundReplica = Omit<Replica, 'policy'>;

/** Aliases by network, as `NetworkSettings` has them, but without the short id: that one is a new one in a new container. */
export type SavedAliases = Readonly<Record<string, readonly string[]>>;

/** The label filter for the engine; `toReplicas` looks again. */
export function projectFilter(project: string): string {
  return JSON.stringify({ label: [`${LABEL}.project=${project}`] });
}

/**
 * The project's replicas by name; stopped ones too, those of `docker compose run` not.
 * @param containers any containers, also those of others
 */
export function toReplicas(project: string, containers: readonly ContainerInfo[]): FoundReplica[] {
  return containers
    .filter(({ Labels }) => isReplicaOf(project, Labels))
    .map((container) => toReplica(project, container))
    .sort((a, b) => compareNames(a.name, b.name));
}

/** The policy that a server serves, from its container's environment; null for what is no server. */
export function policyIn(environment: readonly string[]): string | null {
  const name = 'SERVER_POLICY=';
  return environment.find((entry) => entry.startsWith(name))?.slice(name.length) || null;
}

/** A network that a replica ought to be on. */
export type MissingEndpoint = {
  network: string;
  /** Under these names. */
  aliases: string[];
  /** It is there, but under fewer names. */
  isConnected: boolean;
};

type Endpoints = {
  Name: string;
  HostConfig: { NetworkMode?: string | undefined };
  NetworkSettings: { Networks: Readonly<Record<string, { Aliases?: string[] | null | undefined }>> };
};

/** What to keep of an inspected container's endpoints. */
export function savedAliases({ NetworkSettings }: Endpoints, replica: Replica): SavedAliases {
  const networks = Object.entries(NetworkSettings.Networks);
  const kept = networks.map(([network, { Aliases }]): [string, string[]] => [
    network,
    (Aliases ?? []).filter((alias) => alias !== replica.serverId),
  ]);
  return Object.fromEntries(kept);
}

/**
 * What an inspected container lacks: the networks that were saved, or the one that Compose made it on, each with what
 * was saved, its service's name, its own and its short id.
 */
export function missingEndpoints(
  { Name, HostConfig, NetworkSettings }: Endpoints,
  replica: Replica,
  saved: SavedAliases = {},
): MissingEndpoint[] {
  const own = [Name.replace(/^\//, ''), replica.service, replica.serverId];
  const wanted = Object.keys(saved).length > 0 ? saved : { [HostConfig.NetworkMode ?? '']: [] };
  return Object.entries(wanted).flatMap(([network, names]) => {
    const endpoint = NetworkSettings.Networks[network];
    const aliases = [...new Set([...names, ...own])];
    const isWhole = aliases.every((alias) => endpoint?.Aliases?.includes(alias));
    return isWhole ? [] : [{ network, aliases, isConnected: endpoint !== undefined }];
  });
}

function isReplicaOf(project: string, labels: Readonly<Record<string, string>>): boolean {
  return (
    labels[`${LABEL}.project`] === project &&
    labels[`${LABEL}.oneoff`] !== 'True' &&
    Boolean(labels[`${LABEL}.service`]) &&
    Boolean(labels[`${LABEL}.container-number`])
  );
}

function toReplica(project: string, container: ContainerInfo): FoundReplica {
  const service = container.Labels[`${LABEL}.service`] ?? '';
  const networks = Object.entries(container.NetworkSettings?.Networks ?? {});
  const own = networks.find(([name]) => name.startsWith(`${project}_`));
  return {
    name: `${service}-${container.Labels[`${LABEL}.container-number`]}`,
    service,
    containerId: container.Id,
    serverId: container.Id.slice(0, SHORT_ID),
    state: container.State,
    address: own?.[1].IPAddress || null,
  };
}
