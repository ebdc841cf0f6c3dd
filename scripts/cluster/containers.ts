// shell · the containers of a Compose project, as Docker lists them, stopped ones too.
import { attempt } from '../kit/command.ts';
import { Failure } from '../kit/failure.ts';
import { clusterName } from '../kit/project.ts';
import { compareNames } from '../kit/words.ts';

const ANSWER_TIMEOUT_MS = 20_000;
const NAMES_TIMEOUT_MS = 2_000;
/** In their containers. */
export const PROXY_PORT = 10_000;
export const ADMIN_PORT = 10_081;
const LABEL = 'com.docker.compose';
const LABELS = ['service', 'config-hash'].map((name) => `{{.Label "${LABEL}.${name}"}}`);
const FORMAT = ['{{.ID}}', '{{.Names}}', '{{.State}}', ...LABELS, '{{.Status}}', '{{.Ports}}'].join('\t');

export type Container = Readonly<{
  /** The short id: what a server registers as. */
  id: string;
  name: string;
  /** Docker's word: `running`, `paused`, `exited`. */
  state: string;
  service: string;
  /** Of the settings that it was made with, as `docker compose config --hash` prints it. */
  configHash: string;
  isUnhealthy: boolean;
  /** Its published ports, as Docker says it: `0.0.0.0:10000->10000/tcp, 127.0.0.1:10081->10081/tcp`. */
  ports: string;
}>;

/** A proxy that runs, as it is reached on this machine. */
export type PublishedProxy = Readonly<{
  /** Without the project's: `proxy-1`. */
  name: string;
  /** host:port of the well-known port. */
  address: string;
  /** Base address of the status listener. */
  adminUrl: string;
}>;

/** @returns nothing where Docker does not answer */
export async function listContainers(
  project: string,
  signal?: AbortSignal,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<Container[]> {
  // Those of `docker compose run` are oneoff.
  const labels = [`${LABEL}.project=${project}`, `${LABEL}.oneoff=False`];
  const filters = labels.flatMap((label) => ['--filter', `label=${label}`]);
  const args = ['ps', '--all', ...filters, '--format', FORMAT];
  const { isOk, stdout } = await attempt('docker', args, { timeoutMs, signal });
  return isOk ? parseContainers(stdout) : [];
}

/** @param text lines of FORMAT */
export function parseContainers(text: string): Container[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [id = '', name = '', state = '', service = '', configHash = '', status = '', ports = ''] =
        line.split('\t');
      return { id, name, state, service, configHash, isUnhealthy: status.includes('(unhealthy)'), ports };
    });
}

/** The proxies among containers whose ports are published, by name. */
export function publishedProxies(project: string, containers: readonly Container[]): PublishedProxy[] {
  return containers
    .filter(({ service }) => service === 'proxy')
    .flatMap(({ name, ports }) => {
      const [address, admin] = [PROXY_PORT, ADMIN_PORT].map((port) => publishedAt(ports, port));
      if (address === undefined || admin === undefined) return [];
      return { name: name.replace(`${project}-`, ''), address, adminUrl: `http://${admin}` };
    })
    .sort((a, b) => compareNames(a.name, b.name));
}

/** The proxies among containers that have ended or were never started, a sentence each, by name. */
export function proxiesDown(project: string, containers: readonly Container[]): string[] {
  return containers
    .filter((container) => container.service === 'proxy' && !isUp(container))
    .sort((a, b) => compareNames(a.name, b.name))
    .map(({ name, state }) => `${name.replace(`${project}-`, '')} is not running (${state}).`);
}

function publishedAt(ports: string, port: number): string | undefined {
  const [, published] = new RegExp(`(\\S+:\\d+)->${port}/tcp`).exec(ports) ?? [];
  return published?.replace(/^(0\.0\.0\.0|\[::\]|::):/, '127.0.0.1:');
}

/** Whether a container was started and has not ended. */
export function isUp({ state }: Container): boolean {
  return ['running', 'paused', 'restarting'].includes(state);
}

/** The cluster's proxies, by name. @throws Failure when none runs whose ports are published */
export async function runningProxies(
  signal?: AbortSignal,
): Promise<readonly [PublishedProxy, ...PublishedProxy[]]> {
  const project = clusterName();
  const [first, ...others] = publishedProxies(project, await listContainers(project, signal));
  if (first !== undefined) return [first, ...others];
  throw new Failure(
    'No proxy of the cluster runs.',
    'Look at "docker compose ps --all"; "npm start" starts it.',
  );
}

/** What Docker says of the cluster within two seconds; nothing without Docker. */
export type Known = {
  /** By server id, without the cluster's own: `server-p1-1`. */
  names: ReadonlyMap<string, string>;
  proxies: readonly PublishedProxy[];
  /** A sentence for each proxy that does not run: `proxy-2 is not running (exited).` */
  down: readonly string[];
};

export async function lookUpContainers(signal?: AbortSignal): Promise<Known> {
  const project = clusterName();
  const containers = await listContainers(project, signal, NAMES_TIMEOUT_MS);
  const names = new Map(containers.map(({ id, name }) => [id, name.replace(`${project}-`, '')]));
  return { names, proxies: publishedProxies(project, containers), down: proxiesDown(project, containers) };
}
