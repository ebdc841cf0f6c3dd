// `npm start`: from nothing to a running cluster. Every step is skipped when it is already done.

import { hideBin } from 'yargs/helpers';
import { commandLine, requireWhole } from '../services/shared/config.ts';
import { bringUp, composeEnvironment, lastWords, MAY_BE_LEFT } from './cluster/cluster.ts';
import { lookUpContainers, type PublishedProxy, runningProxies } from './cluster/containers.ts';
import { healLeftovers } from './cluster/heal.ts';
import { isObserved, prepareObservability } from './cluster/observability.ts';
import { FROM_FLAGS, olderImages, rolesFrom } from './cluster/older-image.ts';
import { renderPolicyTable } from './cluster/policy-table.ts';
import { PREPARATION } from './cluster/preparation.ts';
import { sendSamples } from './cluster/samples.ts';
import { clientTlsOptions, readComposeConfig, serverServices, serversByPolicy } from './cluster/services.ts';
import { checkSettings } from './cluster/settings.ts';
import { readUndo } from './cluster/undo.ts';
import { Failure } from './kit/failure.ts';
import { fetchPolicies, serverIds, waitUntilWhole } from './kit/policies.ts';
import { clusterName, readSetting, savedSettings } from './kit/project.ts';
import { isColoured, runScript } from './kit/script.ts';
import { type Outcome, type Progress, runSteps } from './kit/steps.ts';

/** What other commands have to know too. */
const SETTINGS = [
  ...['COMPOSE_FILE', 'COMPOSE_PROJECT_NAME', 'PROXY_PUBLISH_PORT', 'PROXY_PUBLISH_ADMIN_PORT'],
  ...['PROXIES', 'SERVERS_PER_POLICY', 'POLICY_PROXY_IMAGE'],
];

await runScript('npm start --', MAY_BE_LEFT, async (signal) => {
  const flags = await commandLine(hideBin(process.argv), 'npm start')
    .usage(
      '$0\n\nSets up Docker where it is missing, builds the image, starts the cluster and tries it.\nInto a running cluster npm run upgrade brings a change without an outage.',
    )
    .options(FROM_FLAGS)
    .epilogue(
      'Settings, from the environment or from .env: PROXIES (1), SERVERS_PER_POLICY (2), NODE_IMAGE (node:24-slim),\n' +
        'COMPOSE_PROJECT_NAME (policy-proxy), COMPOSE_FILE (with :docker-compose.tls.yml: over TLS),\n' +
        'PROXY_PUBLISH_PORT (10000, on every address of this machine; 127.0.0.1:10000: on that one only; further\n' +
        'proxies have the ports after it),\n' +
        'COMPOSE_PROFILES (observability: Prometheus and Grafana as well),\n' +
        'PROXY_PUBLISH_ADMIN_PORT (10081, on 127.0.0.1 only), and those of the roles, for example PROXY_HOLD.\n' +
        'Exit codes: 0 it runs, 1 a step failed, 2 the machine lacks something or a setting is wrong, 130 Ctrl-C.',
    )
    .parse();
  const saved = await savedSettings();
  await checkSettings();
  const project = clusterName();
  // Of one that is wrong, everybody learns before anything is done.
  const compose = composeEnvironment({});
  requireWhole('SERVERS_PER_POLICY', Number(readSetting('SERVERS_PER_POLICY') ?? 2), 1, 100);
  const from = rolesFrom(flags);
  const images: Record<string, string> = {};
  const replies: string[] = [];
  const isChaosLeft = readUndo(project) !== null;
  await runSteps(signal, [
    ...PREPARATION,
    ...olderImages(from, images),
    ...(isObserved() ? [{ title: 'Prometheus and Grafana', run: prepareObservability }] : []),
    ...(isChaosLeft ? [{ title: 'What a chaos run left', run: healAfterChaos }] : []),
    { title: 'Cluster', run: (progress) => bringUp({ env: images }, progress) },
    { title: 'Servers in rotation', run: waitUntilReady },
    { title: 'Sample packets', run: (progress) => sendPackets(replies, progress) },
  ]);
  console.log(`\n${replies.join('\n\n')}\n`);
  const proxies = await runningProxies(signal);
  const [{ adminUrl }] = proxies;
  const table = await fetchPolicies(adminUrl, signal);
  const config = await readComposeConfig({}, signal);
  const { names } = await lookUpContainers(signal);
  console.log(renderPolicyTable(table, isColoured(), names));
  console.log(`${whereTheyListen(proxies)}\n`);
  const [first = ''] = serverIds(table);
  const server = `${project}-${names.get(first) ?? 'server-p1-1'}`;
  const toProxies = proxies.length === 1 ? [] : ['--proxy', proxies.map(({ address }) => address).join()];
  const options = [...toProxies, ...clientTlsOptions(config)];
  console.log([...settingsToSave(saved, compose), ...whatToTry(server, options)].join('\n'));
  if (proxies.length === 1) console.log(`\nThe cluster, live, in a browser: ${adminUrl}/`);
  if (isObserved()) {
    const [prometheus, grafana] = [
      readSetting('PROMETHEUS_PUBLISH_PORT') ?? 9090,
      readSetting('GRAFANA_PUBLISH_PORT') ?? 3000,
    ];
    console.log(`Grafana: http://127.0.0.1:${grafana}/   Prometheus: http://127.0.0.1:${prometheus}/alerts`);
  }
});

async function healAfterChaos(progress: Progress): Promise<Outcome> {
  return (await healLeftovers(clusterName(), progress)) ?? { skipped: 'nothing' };
}

function whereTheyListen(proxies: readonly PublishedProxy[]): string {
  if (proxies.length === 1) return `The proxy listens on ${proxies[0]?.address}.`;
  const lines = proxies.map(
    ({ name, address, adminUrl }) => `  ${name} on ${address}, its page: ${adminUrl}/`,
  );
  return ['The proxies listen:', ...lines].join('\n');
}

async function waitUntilReady(progress: Progress): Promise<Outcome> {
  const { signal } = progress;
  const proxies = await runningProxies(signal);
  const count = serversByPolicy(serverServices(await readComposeConfig({}, signal)));
  const whole = await waitUntilWhole(proxies, count, progress).catch(async (error: unknown) => {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(error.message, error.next, { tail: await lastWords(), cause: error });
  });
  const each = Object.entries(count).map(([policy, servers]) => `${servers} of policy ${policy}`);
  return `${whole}: ${each.join(', ')}`;
}

async function sendPackets(replies: string[], progress: Progress): Promise<Outcome> {
  const [{ address }] = await runningProxies(progress.signal);
  const config = await readComposeConfig({}, progress.signal);
  const policies = Object.keys(serversByPolicy(serverServices(config)));
  const lookAt = '"npm run status" and "docker compose logs"';
  return await sendSamples(address, policies, clientTlsOptions(config), replies, lookAt, progress);
}

function settingsToSave(saved: NodeJS.Dict<string>, compose: NodeJS.ProcessEnv): string[] {
  // `docker compose` by hand does not know how many ports several proxies need.
  const known = compose.PROXIES === '1' ? process.env : compose;
  const lines = SETTINGS.map((name) => [name, known[name] || undefined] as const)
    .filter(([name, value]) => value !== undefined && value !== saved[name])
    .map(([name, value]) => `  echo ${name}=${value} >> .env`);
  if (lines.length === 0) return [];
  return ['Other commands do not have the settings of this one yet. To give them to all:', ...lines, ''];
}

/**
 * @param server the container of one of them, which has another number after each upgrade
 * @param options what a client needs to reach the proxies
 */
function whatToTry(server: string, options: readonly string[]): string[] {
  const client = ['npm run client -- client_packet_2.json', ...options].join(' ');
  const load = ['npm run load -- --rate 1000 --duration 20', ...options].join(' ');
  return [
    'What to try next:',
    `  ${client.padEnd(50)} # a packet of policy 2`,
    '  npm run status -- --watch                          # the table, live, in another terminal',
    `  ${load.padEnd(50)} # a load test: run the rest meanwhile`,
    `  ${`docker kill ${server}`.padEnd(50)} # a crash: it is evicted`,
    `  ${'npm start'.padEnd(50)} # everything as it was`,
    `  ${'npm run upgrade'.padEnd(50)} # new code or settings, without an outage`,
    `  ${'npm stop'.padEnd(50)} # takes the cluster down`,
  ];
}
