// shell · whether the ports that the cluster publishes are free, and what to do about one that is not.
import { attempt } from '../kit/command.ts';
import { Failure } from '../kit/failure.ts';
import { whyNotFree } from '../kit/ports.ts';

const ASK_TIMEOUT_MS = 20_000;
const OWNER_FORMAT = [
  '{{.Names}}',
  '{{.Label "com.docker.compose.project"}}',
  '{{.Label "com.docker.stack.namespace"}}',
].join('\t');

/** A port of this machine that a command is about to publish. */
export type WantedPort = {
  port: number;
  /** The address that it is published on; 0.0.0.0 stands for all. */
  host: string;
  /** The setting that chooses it. */
  setting: string;
};

/** The container that publishes a port. */
export type PortOwner = {
  name: string;
  /** Its Compose project; empty when it has none. */
  project: string;
  /** Its stack of Docker Swarm; empty when it has none. */
  stack: string;
};

/**
 * Docker itself says "driver failed programming external connectivity", and leaves a half-made cluster behind; Swarm tries
 * again for ever, and takes the port as soon as its owner restarts.
 * @param command what the person has called: `npm start`
 * @param isOwn whether the container belongs to what is about to be started
 * @throws Failure for the first port that something else has
 */
export async function requireFreePorts(
  ports: readonly WantedPort[],
  { command, cluster }: { command: string; cluster: string },
  isOwn: (owner: PortOwner) => boolean = () => false,
): Promise<void> {
  for (const wanted of ports) {
    const problem = await whyNotFree(wanted.port, wanted.host.replaceAll(/[[\]]/g, ''));
    if (problem === null) continue;
    const owner = problem === 'EADDRINUSE' ? await ownerOf(wanted.port) : null;
    if (owner !== null && isOwn(owner)) continue;
    throw notFree(wanted, problem, owner, { command, cluster });
  }
}

/** What to say about a port that can't be had. */
export function notFree(
  { port, setting }: WantedPort,
  problem: string,
  owner: PortOwner | null,
  { command, cluster }: { command: string; cluster: string },
): Failure {
  const other = port < 65_535 ? port + 1 : port - 1;
  return new Failure(
    problem === 'EADDRINUSE'
      ? `Port ${port} is taken by ${owner === null ? 'another program' : `the container ${owner.name}`}.`
      : `Port ${port} can't be used: ${problem}.`,
    `${howToFree(owner, cluster)}, or choose another port, in .env so that every command uses it:\n  echo ${setting}=${other} >> .env && ${command}`,
  );
}

function howToFree(owner: PortOwner | null, cluster: string): string {
  if (owner?.stack === cluster)
    return 'Remove the stack on Docker Swarm that it belongs to: npm run swarm -- stop';
  if (owner?.project === cluster) return 'Take down the cluster that it belongs to: npm stop';
  return 'Stop what uses it';
}

async function ownerOf(port: number): Promise<PortOwner | null> {
  const args = ['ps', '--filter', `publish=${port}`, '--format', OWNER_FORMAT];
  const [line = ''] = (await attempt('docker', args, { timeoutMs: ASK_TIMEOUT_MS })).stdout.split('\n');
  const [name = '', project = '', stack = ''] = line.split('\t');
  return name === '' ? null : { name, project, stack };
}
