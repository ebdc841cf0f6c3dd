// shell · several machines on one: each node of a swarm is a privileged container with a Docker Engine of its own.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt, run } from '../../kit/command.ts';
import { Failure } from '../../kit/failure.ts';
import { CACHE } from '../../kit/project.ts';
import { type Progress, SILENT } from '../../kit/steps.ts';
import { until } from '../../kit/time.ts';

/** A machine of the swarm. */
export type SwarmNode = Readonly<{
  /** Its host name; the first node is the manager. */
  name: string;
  /** Where its published ports are reached from here. */
  address: string;
  /** The socket of its engine; null: the engine that every command talks to. */
  socket: string | null;
}>;

const LABEL = 'policy-proxy.swarm';
const SOCKETS = join(CACHE, 'swarm');
// The kernel's limit for the path of a socket is 108 bytes.
const MAX_SOCKET_CHARS = 107;
const COMMAND_TIMEOUT_MS = 60_000;
const LOAD_TIMEOUT_MS = 300_000;
const ENGINE_WITHIN_MS = 30_000;
const POLL_MS = 100;
/** A node that was lost is noticed after some 3 s in place of 14. */
const HEARTBEAT = '1s';

// What a killed engine leaves would keep the next one from starting; /var/run is not /run in every image. Under cgroup v2
// no group with members may have groups below, so the first process moves into one of its own:
// https://github.com/moby/moby/blob/master/hack/dind
const ENTRY = `rm -rf /run/docker /run/docker.pid /run/containerd /var/run/docker /var/run/docker.pid
cd /sys/fs/cgroup
if [ -f cgroup.controllers ]; then
  mkdir -p init
  xargs -rn1 <cgroup.procs >init/cgroup.procs || true
  sed -e 's/ / +/g' -e 's/^/+/' <cgroup.controllers >cgroup.subtree_control
fi
exec dockerd --storage-driver overlay2 "$@"`;

/**
 * Starts the nodes and joins them to a swarm of their own. They run this machine's Docker: its programs are mounted into
 * containers of the project's image, so that there is nothing to build or to pull.
 * @throws Failure when a node does not start
 */
export async function startNodes(
  project: string,
  image: string,
  count: number,
  { phase, signal }: Progress,
): Promise<SwarmNode[]> {
  phase('starting the nodes');
  await mkdir(SOCKETS, { recursive: true, mode: 0o700 });
  const network = networkOf(project);
  // Only in a network whose range was named a container keeps its address: Docker chooses one, and it is made again with it.
  const create = ['network', 'create', '--label', labelOf(project)];
  await docker(null, [...create, network], signal);
  const format = '{{(index .IPAM.Config 0).Subnet}}';
  const subnet = (await docker(null, ['network', 'inspect', '--format', format, network], signal)).trim();
  await docker(null, ['network', 'rm', network], signal);
  await docker(null, [...create, '--subnet', subnet, network], signal);
  const names = Array.from({ length: count }, (_, index) => `node-${index + 1}`);
  // One after the other: the addresses are in the order of the names.
  for (const name of names) await startNode(project, image, name, addressIn(subnet, name), signal);
  const nodes = await findNodes(project, signal);
  await Promise.all(nodes.map((node) => waitForEngine(project, node, signal)));
  phase('joining them');
  const [manager, ...workers] = nodes as [SwarmNode, ...SwarmNode[]];
  await docker(manager, ['swarm', 'init', '--advertise-addr', manager.address], signal);
  await docker(manager, ['swarm', 'update', '--dispatcher-heartbeat', HEARTBEAT], signal);
  const token = (await docker(manager, ['swarm', 'join-token', '--quiet', 'worker'], signal)).trim();
  for (const worker of workers) {
    const advertised = ['--advertise-addr', worker.address];
    await docker(worker, ['swarm', 'join', '--token', token, ...advertised, manager.address], signal);
  }
  return nodes;
}

/** The nodes that are there, by name, stopped ones too. */
export async function findNodes(project: string, signal?: AbortSignal): Promise<SwarmNode[]> {
  const args = ['ps', '--all', '--filter', `label=${labelOf(project)}`, '--format'];
  const label = `{{.Label "${LABEL}.node"}} {{.Label "${LABEL}.address"}}`;
  const text = await docker(null, [...args, label], signal);
  const nodes = text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [name = '', address = ''] = line.split(' ');
      return { name, address, socket: socketOf(project, name) };
    });
  return nodes.sort((a, b) => a.name.localeCompare(b.name));
}

/** Puts an image that is on this machine onto every node. */
export async function loadImage(
  nodes: readonly SwarmNode[],
  image: string,
  signal: AbortSignal,
): Promise<void> {
  const file = join(SOCKETS, 'image.tar');
  await docker(null, ['save', '--output', file, image], signal, LOAD_TIMEOUT_MS);
  const load = ['load', '--quiet', '--input', file];
  await Promise.all(nodes.map((node) => docker(node, load, signal, LOAD_TIMEOUT_MS)));
}

/** Removes the nodes with all that is on them. @returns how many there were */
export async function removeNodes(project: string): Promise<number> {
  const nodes = await findNodes(project);
  const names = nodes.map(({ name }) => containerOf(project, name));
  if (names.length > 0) await docker(null, ['rm', '--force', '--volumes', ...names]);
  await attempt('docker', ['network', 'rm', networkOf(project)], { timeoutMs: COMMAND_TIMEOUT_MS });
  return names.length;
}

/** The power switch of a node. */
export async function switchNode(project: string, name: string, how: 'kill' | 'start'): Promise<void> {
  await docker(null, [how, containerOf(project, name)]);
}

/** Runs `docker` on a node; null: on this machine. @throws Failure with its last lines */
export async function docker(
  node: SwarmNode | null,
  args: readonly string[],
  signal: AbortSignal = SILENT.signal,
  timeoutMs = COMMAND_TIMEOUT_MS,
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  const [what = '', which = ''] = args;
  return await run('docker', [...hostOf(node), ...args], {
    timeoutMs,
    signal,
    env: { ...process.env, ...env },
    failure: {
      what: `"docker ${what} ${which}" failed${node?.socket ? ` on ${node.name}` : ''}`,
      next: '"npm run swarm -- stop" removes what is there, "npm run swarm" starts it again.',
    },
  });
}

/** Options of `docker` that choose a node's engine. */
function hostOf(node: SwarmNode | null): string[] {
  return node?.socket ? ['--host', `unix://${node.socket}`] : [];
}

async function startNode(
  project: string,
  image: string,
  name: string,
  address: string,
  signal: AbortSignal,
): Promise<void> {
  const socket = socketOf(project, name);
  if (socket.length > MAX_SOCKET_CHARS)
    throw new Failure(`The path ${socket} is too long for a socket.`, 'Move the project to a shorter path.');
  const labels = [labelOf(project), `${LABEL}.node=${name}`, `${LABEL}.address=${address}`];
  const mounts = ['/usr:/usr:ro', '/etc/alternatives:/etc/alternatives:ro', `${SOCKETS}:${SOCKETS}`];
  await docker(
    null,
    [
      ...['run', '--detach', '--privileged', '--init', '--user', '0', '--hostname', name],
      ...['--name', containerOf(project, name), '--network', networkOf(project), '--ip', address],
      ...labels.flatMap((label) => ['--label', label]),
      ...mounts.flatMap((mount) => ['--volume', mount]),
      // Overlay on overlay does not work: an engine's own files need a volume.
      ...['--volume', '/var/lib/docker', '--entrypoint', '/usr/bin/sh', image, '-c', ENTRY, 'sh'],
      // The caller's group may use it, as it may use this machine's engine.
      ...['--host', `unix://${socket}`, '--group', String(process.getgid?.() ?? 0)],
    ],
    signal,
  );
}

async function waitForEngine(project: string, node: SwarmNode, signal: AbortSignal): Promise<void> {
  const args = [...hostOf(node), 'info', '--format', '{{.ServerVersion}}'];
  const answers = async (): Promise<boolean> =>
    (await attempt('docker', args, { timeoutMs: COMMAND_TIMEOUT_MS, signal })).isOk;
  if (await until(answers, { withinMs: ENGINE_WITHIN_MS, everyMs: POLL_MS, signal })) return;
  const logs = ['logs', '--tail', '10', containerOf(project, node.name)];
  const { tail } = await attempt('docker', logs, { timeoutMs: COMMAND_TIMEOUT_MS });
  const next = 'Nodes take the Docker programs of this machine: its engine has to run on it, from /usr.';
  throw new Failure(`The engine of ${node.name} does not answer.`, next, { tail, exitCode: 2 });
}

// The gateway has the first address.
function addressIn(subnet: string, name: string): string {
  return subnet.replace(/\.\d+\/\d+$/, `.${Number(name.replace('node-', '')) + 1}`);
}

function socketOf(project: string, name: string): string {
  return join(SOCKETS, `${project}-${name}.sock`);
}

function labelOf(project: string): string {
  return `${LABEL}=${project}`;
}

function networkOf(project: string): string {
  return `${project}-nodes`;
}

function containerOf(project: string, name: string): string {
  return `${project}-${name}`;
}
