// `npm run swarm`: the cluster on Docker Swarm, on this machine or on several nodes that it stands for.
import { hideBin } from 'yargs/helpers';
import { commandLine, requireWhole } from '../services/shared/config.ts';
import type { PublishedProxy } from './cluster/containers.ts';
import { PREPARATION } from './cluster/preparation.ts';
import { sendSamples } from './cluster/samples.ts';
import { readServerServices, STACK } from './cluster/services.ts';
import { checkSettings } from './cluster/settings.ts';
import {
  bringUpNodes,
  deployStack,
  joinSwarm,
  stackNodes,
  stackSettings,
  takeDownStack,
} from './cluster/swarm/stack.ts';
import { SwarmCluster } from './cluster/swarm/swarm-cluster.ts';
import { clusterName } from './kit/project.ts';
import { runScript } from './kit/script.ts';
import { runSteps } from './kit/steps.ts';

const MAX_NODES = 5;

await runScript('npm run swarm --', '"npm run swarm -- stop" removes what is left.', async (signal) => {
  const { nodes, _ } = await commandLine(hideBin(process.argv), 'npm run swarm')
    .usage('$0 [-- OPTIONS]\n\nDeploys docker-stack.yml on Docker Swarm, and tries it.')
    .command('$0', false)
    .command('stop', 'removes all of it; leaves the swarm if it was begun for this')
    .options({
      nodes: {
        type: 'number',
        default: 1,
        describe: `1: this engine; 2 to ${MAX_NODES}: so many nodes as privileged containers, with an engine in each`,
      },
    })
    .epilogue(
      'Settings, from the environment or from .env: SERVERS_PER_POLICY (2), PROXIES (one on each node),\n' +
        'PROXY_PUBLISH_PORT (10000) and PROXY_PUBLISH_ADMIN_PORT (10081), both on every address of a node,\n' +
        'COMPOSE_PROJECT_NAME (policy-proxy), and those of the roles.\n' +
        'Exit codes: 0 it runs, or is gone; 1 a step failed, 2 the machine lacks something or bad usage, 130 stopped by Ctrl-C.',
    )
    .parse();
  const project = clusterName();
  if (_[0] === 'stop') {
    await runSteps(signal, [{ title: 'Swarm', run: (progress) => takeDownStack(project, progress) }]);
    return;
  }
  requireWhole('--nodes', nodes, 1, MAX_NODES);
  // A setting that can't be is said before anything is done.
  stackSettings(nodes);
  await checkSettings();
  await tryOut(project, nodes, signal);
});

async function tryOut(project: string, count: number, signal: AbortSignal): Promise<void> {
  const replies: string[] = [];
  const cluster = async () => new SwarmCluster(project, await stackNodes(project, signal));
  await runSteps(signal, [
    ...PREPARATION,
    {
      title: 'Swarm',
      run: (progress) => (count > 1 ? bringUpNodes(project, count, progress) : joinSwarm(project, progress)),
    },
    { title: 'Stack', run: async (progress) => await deployStack(await cluster(), {}, progress) },
    {
      title: 'Sample packets',
      run: async (progress) => {
        const policies = (await readServerServices(STACK, signal)).map(({ policy }) => policy);
        const [first] = await (await cluster()).proxies();
        const lookAt = `"docker stack ps ${project}" and "docker service logs ${project}_proxy"`;
        return await sendSamples(first?.address ?? '', policies, [], replies, lookAt, progress);
      },
    },
  ]);
  console.log(`\n${replies.join('\n\n')}\n`);
  const made = await cluster();
  console.log(whatToTry(made, await made.proxies()).join('\n'));
}

function whatToTry({ project, nodes }: SwarmCluster, proxies: readonly PublishedProxy[]): string[] {
  const [manager, last] = [nodes[0], nodes.at(-1)];
  const load = `npm run load -- --proxy ${proxies.map(({ address }) => address).join(',')} --retry-for 8000 --duration 60`;
  const drain = `docker node update --availability drain ${last?.name}`;
  return [
    ...(manager?.socket ? ['The swarm’s manager:', `  export DOCKER_HOST=unix://${manager.socket}`, ''] : []),
    'What to try next:',
    `  docker stack ps ${project} --filter desired-state=running`,
    `  ${load}   # run the rest meanwhile`,
    `  docker service update --force ${project}_server-p1   # new servers, one after the other`,
    `  docker service update --force ${project}_proxy       # new proxies`,
    `  docker service scale ${project}_server-p1=4`,
    ...(nodes.length > 1
      ? [
          `  ${drain}   # and later: active`,
          `  DOCKER_HOST= docker kill ${project}-${last?.name}   # a machine is lost; docker start brings it back`,
        ]
      : []),
    '  npm run swarm -- stop   # removes all of it',
    '',
    `The proxies, live, in a browser: ${proxies.map(({ adminUrl }) => `${adminUrl}/`).join('  ')}`,
  ];
}
