// shell · docker-stack.yml on a swarm: deployed, waited for, removed; and this machine's engine in and out of a swarm of its own.
import { UsageError } from '../../../services/shared/config.ts';
import { attempt } from '../../kit/command.ts';
import { Failure } from '../../kit/failure.ts';
import { waitUntilWhole } from '../../kit/policies.ts';
import { ROOT, readSetting } from '../../kit/project.ts';
import { type Outcome, type Progress, SILENT } from '../../kit/steps.ts';
import { until } from '../../kit/time.ts';
import { appImage, localImageId } from '../app-image.ts';
import { type PortSetting, publishedPorts } from '../cluster.ts';
import { requireFreePorts } from '../ports.ts';
import { prepareRegisterToken } from '../secrets.ts';
import { docker, findNodes, loadImage, removeNodes, type SwarmNode, startNodes } from './nodes.ts';
import type { SwarmCluster } from './swarm-cluster.ts';

const FILES = ['docker-stack.yml', 'docker-stack.status.yml'];
const ASK_TIMEOUT_MS = 20_000;
const READY_WITHIN_MS = 60_000;
const GONE_WITHIN_MS = 40_000;
const POLL_MS = 200;
/** On the node of a swarm that was begun here: it is left again. */
const BEGUN = 'policy-proxy.begun';
const ON_THIS_MACHINE: SwarmNode = { name: 'this machine', address: '127.0.0.1', socket: null };

/** The nodes of the stack: those that were made as containers, else this machine. */
export async function stackNodes(project: string, signal?: AbortSignal): Promise<SwarmNode[]> {
  const nodes = await findNodes(project, signal);
  return nodes.length > 0 ? nodes : [ON_THIS_MACHINE];
}

/** Makes this machine's engine the manager of a swarm, unless it is one. @throws Failure when it is a worker, or a port is taken */
export async function joinSwarm(project: string, { signal }: Progress): Promise<Outcome> {
  const { length } = await findNodes(project, signal);
  if (length > 0) throw otherNodes(length);
  await requireFree(project);
  const format = '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}';
  const state = (await docker(null, ['info', '--format', format], signal)).trim();
  if (state === 'active true') return { skipped: 'this engine is a manager of a swarm already' };
  if (!state.startsWith('inactive')) {
    throw new Failure(
      'This engine is in a swarm, and no manager of it.',
      'Run the command on a manager, or with --nodes 3, which makes nodes of its own as containers.',
      { exitCode: 2 },
    );
  }
  // On loopback only: no other machine is meant to join.
  await docker(
    null,
    ['swarm', 'init', '--advertise-addr', '127.0.0.1', '--listen-addr', '127.0.0.1'],
    signal,
  );
  const id = (await docker(null, ['info', '--format', '{{.Swarm.NodeID}}'], signal)).trim();
  await docker(null, ['node', 'update', '--label-add', `${BEGUN}=1`, id], signal);
  return 'one was begun on this engine: "npm run swarm -- stop" leaves it again';
}

// The stack's own tasks may have the ports: it is deployed anew.
async function requireFree(project: string): Promise<void> {
  const settings = stackSettings(1);
  const ports = (['PROXY_PUBLISH_PORT', 'PROXY_PUBLISH_ADMIN_PORT'] as const).map((setting) => {
    return { setting, host: '0.0.0.0', port: Number(settings[setting]) };
  });
  const who = { command: 'npm run swarm', cluster: project };
  await requireFreePorts(ports, who, ({ stack }) => stack === project);
}

/** Starts nodes as containers, unless as many are there. @throws Failure when there are others */
export async function bringUpNodes(project: string, count: number, progress: Progress): Promise<Outcome> {
  const found = await findNodes(project, progress.signal);
  if (found.length === count) return { skipped: `${count} nodes (already there)` };
  if (found.length > 0) throw otherNodes(found.length);
  const nodes = await startNodes(project, appImage(), count, progress);
  const list = nodes.map(({ name, address }) => `${name} ${address}`).join(', ');
  return `${list}; the first one is the manager`;
}

function otherNodes(count: number): Failure {
  return new Failure(
    `There are ${count} nodes as containers already.`,
    '"npm run swarm -- stop" removes them.',
  );
}

/**
 * Deploys the stack with a proxy on each node, and waits until every proxy has every server.
 * @param env what the stack file gets on top of the environment
 * @throws Failure with what Docker says of the tasks
 */
export async function deployStack(
  cluster: SwarmCluster,
  env: NodeJS.ProcessEnv,
  progress: Progress,
): Promise<Outcome> {
  const { phase, signal } = progress;
  const { nodes, project } = cluster;
  const [manager] = nodes as [SwarmNode];
  await prepareRegisterToken();
  const image = await tagImage(project, signal);
  if (manager.socket !== null && !(await hasImage(nodes, image, signal))) {
    phase('putting the image onto every node');
    await loadImage(nodes, image, signal);
  }
  phase('docker stack deploy');
  const files = FILES.flatMap((file) => ['--compose-file', `${ROOT}/${file}`]);
  // What Swarm would look up at the registry is on the nodes.
  const args = ['stack', 'deploy', ...files, '--prune', '--resolve-image', 'never', project];
  await docker(manager, args, signal, undefined, {
    ...env,
    ...stackSettings(nodes.length, env),
    POLICY_PROXY_IMAGE: image,
  });
  return await waitForStack(cluster, progress);
}

/**
 * How many proxies the stack has, and on which port of every node.
 * @param env what the stack file gets on top of the environment and `.env`
 * @throws UsageError when there are more proxies than nodes: each takes a port of its node, so Swarm would wait for ever
 */
export function stackSettings(
  nodes: number,
  env: NodeJS.ProcessEnv = {},
): Record<'PROXIES' | PortSetting, string> {
  const proxies = env.PROXIES ?? readSetting('PROXIES') ?? String(nodes);
  if (!/^[1-9]\d*$/.test(proxies) || Number(proxies) > nodes) {
    const most =
      nodes === 1 ? 'one node has 1 at most; --nodes 3 makes three' : `${nodes} nodes have ${nodes} at most`;
    throw new UsageError(`PROXIES is "${proxies}": each proxy takes a port of its node, so ${most}.`);
  }
  // The same port on every node, where Compose has one for each proxy.
  const portOf = (name: PortSetting): string =>
    String(publishedPorts(name, { env: { ...env, PROXIES: '1' } }).first);
  return {
    PROXIES: proxies,
    PROXY_PUBLISH_PORT: portOf('PROXY_PUBLISH_PORT'),
    PROXY_PUBLISH_ADMIN_PORT: portOf('PROXY_PUBLISH_ADMIN_PORT'),
  };
}

/** Waits until every task runs and every proxy has every server. @throws Failure when that takes too long */
export async function waitForStack(cluster: SwarmCluster, progress: Progress): Promise<Outcome> {
  const { phase, signal } = progress;
  phase('waiting for the tasks');
  await cluster.settled(signal).catch(async (cause: Error) => {
    signal.throwIfAborted();
    const next = `Look at "docker stack ps --no-trunc ${cluster.project}". "npm run swarm -- stop" removes what is there.`;
    throw new Failure(cause.message, next, { tail: await cluster.problems(), cause });
  });
  const servers = (await cluster.replicas()).filter(({ policy }) => policy !== null).length;
  const proxies = await cluster.proxies();
  const whole = await waitUntilWhole(proxies, servers, progress, READY_WITHIN_MS);
  return `${whole}: ${proxies.map(({ name, address }) => `${name} on ${address}`).join(', ')}`;
}

/** Removes the nodes, or the stack from this machine's swarm, and leaves that if it was begun here. */
export async function takeDownStack(project: string, { phase, signal }: Progress = SILENT): Promise<Outcome> {
  const nodes = await removeNodes(project);
  const info = await attempt(
    'docker',
    ['node', 'inspect', 'self', '--format', `{{index .Spec.Labels "${BEGUN}"}}`],
    {
      timeoutMs: ASK_TIMEOUT_MS,
      signal,
    },
  );
  const isManager = info.isOk;
  const filter = ['--filter', `label=com.docker.stack.namespace=${project}`, '--quiet'];
  const services = isManager ? await docker(null, ['service', 'ls', ...filter], signal) : '';
  if (services !== '') {
    phase('docker stack rm');
    await docker(null, ['stack', 'rm', project], signal);
    await untilGone(['ps', ...filter], signal);
    await untilGone(['network', 'ls', ...filter], signal);
    // Those that have ended earlier are kept for a while, and for ever when the swarm is left.
    const ended = (await docker(null, ['ps', '--all', ...filter], signal)).split('\n').filter(Boolean);
    // Swarm may be removing some of them at the same time, of which Docker makes an error.
    await attempt('docker', ['rm', '--force', ...ended], { timeoutMs: ASK_TIMEOUT_MS, signal });
    await untilGone(['ps', '--all', ...filter], signal);
  }
  const isLast = isManager && (await docker(null, ['service', 'ls', '--quiet'], signal)) === '';
  const isLeft = isLast && info.stdout.trim() === '1';
  if (isLeft) {
    await docker(null, ['swarm', 'leave', '--force'], signal);
    // Swarm made it, and leaves it behind.
    await attempt('docker', ['network', 'rm', 'docker_gwbridge'], { timeoutMs: ASK_TIMEOUT_MS, signal });
  }
  await removeImages(project);
  const gone = [
    ...(nodes > 0 ? [`${nodes} nodes`] : []),
    ...(services === '' ? [] : ['the stack']),
    ...(isLeft ? ['the swarm'] : []),
  ];
  return gone.length === 0 ? { skipped: 'nothing was there' } : `gone: ${gone.join(', ')}`;
}

/** Removes the names that images were given for the nodes. */
export async function removeImages(project: string): Promise<void> {
  const format = ['--format', '{{.Repository}}:{{.Tag}}'];
  const names = (await docker(null, ['image', 'ls', ...format, repositoryOf(project)]))
    .split('\n')
    .filter(Boolean);
  if (names.length > 0) await docker(null, ['image', 'rm', ...names]);
}

function repositoryOf(project: string): string {
  return `localhost:5000/${project}`;
}

// A name of its own for each build: else a node would go on with an older image of the same name.
async function tagImage(project: string, signal: AbortSignal): Promise<string> {
  const id = (await localImageId(appImage(), signal)) ?? '';
  const image = `${repositoryOf(project)}:${id.replace('sha256:', '').slice(0, 12)}`;
  await docker(null, ['tag', appImage(), image], signal);
  return image;
}

async function hasImage(nodes: readonly SwarmNode[], image: string, signal: AbortSignal): Promise<boolean> {
  const found = await Promise.all(
    nodes.map((node) => docker(node, ['image', 'ls', '--quiet', image], signal)),
  );
  return found.every((ids) => ids !== '');
}

async function untilGone(list: readonly string[], signal: AbortSignal): Promise<void> {
  const look = async (): Promise<boolean> => (await docker(null, list, signal)) === '';
  if (await until(look, { withinMs: GONE_WITHIN_MS, everyMs: POLL_MS, signal })) return;
  throw new Failure('The stack is not gone.', `Look at "docker ${list.join(' ')}".`);
}
