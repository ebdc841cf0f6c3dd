// `npm start`: from nothing to a running cluster. Every step is skipped when it is already done.
// Must never go on after a step that failed, or hide what failed.
import { hideBin } from 'yargs/helpers';
import { commandLine } from '../services/shared/config.ts';
import { prepareAppImage } from './cluster/app-image.ts';
import { bringUp, MAY_BE_LEFT, publishedPort, recentLogs, wholeClusterSize } from './cluster/cluster.ts';
import { ContainerNames } from './cluster/container-names.ts';
import { prepareEngine } from './cluster/engine.ts';
import { healLeftovers } from './cluster/heal.ts';
import { formatHints } from './cluster/hints.ts';
import { prepareNodeImage } from './cluster/node-image.ts';
import { renderPolicyTable } from './cluster/policy-table.ts';
import { settingsWithoutEffect } from './cluster/role-settings.ts';
import { SAMPLE_PACKETS, sendPacket } from './cluster/samples.ts';
import { readUndo } from './cluster/undo.ts';
import { Failure } from './kit/failure.ts';
import { fetchPolicies, serverIds, waitForServers } from './kit/policies.ts';
import type { Outcome, Progress } from './kit/progress.ts';
import { clusterName, savedNames, unsavedSettings } from './kit/project.ts';
import { isColoured, runScript } from './kit/script.ts';
import { runSteps } from './kit/steps.ts';

const READY_TIMEOUT_MS = 30_000;
const LOG_LINES = 8;

const SETTINGS = [
  'COMPOSE_PROJECT_NAME',
  'PROXY_PUBLISH_PORT',
  'PROXY_PUBLISH_ADMIN_PORT',
  'SERVERS_PER_POLICY',
  'POLICY_PROXY_IMAGE',
] as const;

await runScript('npm start --', MAY_BE_LEFT, async (signal) => {
  await commandLine(hideBin(process.argv), 'npm start')
    .usage('$0\n\nSets up Docker where it is missing, builds the image, starts the cluster and tries it.')
    .epilogue(
      'Settings, from the environment or from .env: SERVERS_PER_POLICY (2), PROXY_PUBLISH_PORT (10000),\n' +
        'PROXY_PUBLISH_ADMIN_PORT (10080), NODE_IMAGE (node:24-slim), COMPOSE_PROJECT_NAME (policy-proxy).\n' +
        'Exit codes: 0 it runs, 1 a step failed, 2 the machine or a setting is not what it takes, 130 stopped by Ctrl-C.',
    )
    .parse();
  for (const warning of settingsWithoutEffect(await savedNames())) console.error(`Warning: ${warning}`);
  const project = clusterName();
  const adminUrl = `http://127.0.0.1:${publishedPort('PROXY_PUBLISH_ADMIN_PORT')}`;
  const port = publishedPort('PROXY_PUBLISH_PORT');
  const proxy = `127.0.0.1:${port}`;
  const count = wholeClusterSize();
  const replies: string[] = [];
  const wasChaosKilled = readUndo(project) !== null;
  await runSteps(signal, [
    { title: 'Docker Engine and Compose', run: prepareEngine },
    { title: 'Image with Node 24', run: prepareNodeImage },
    { title: 'Image of the cluster', run: prepareAppImage },
    ...(wasChaosKilled ? [{ title: 'What a chaos run left', run: healAfterChaos }] : []),
    { title: 'Cluster', run: (progress) => bringUp({}, progress) },
    { title: 'Servers in rotation', run: (progress) => waitUntilReady(adminUrl, count, progress) },
    { title: 'Sample packets', run: (progress) => sendSamples(proxy, replies, progress) },
  ]);
  console.log(`\n${replies.join('\n\n')}\n`);
  const table = await fetchPolicies(adminUrl, signal);
  const names = await new ContainerNames().of(serverIds(table), signal);
  console.log(renderPolicyTable(table, isColoured(), 0, names));
  console.log(`The proxy listens on port ${port}, its status is at ${adminUrl}/api/policies.\n`);
  console.log(formatHints({ project, port, unsaved: await unsavedSettings(SETTINGS) }));
});

async function healAfterChaos(progress: Progress): Promise<Outcome> {
  const healed = await healLeftovers(clusterName(), progress);
  return { isSkipped: healed === null, summary: healed ?? 'nothing' };
}

async function waitUntilReady(adminUrl: string, count: number, progress: Progress): Promise<Outcome> {
  const { signal } = progress;
  try {
    const onChange = (ready: number): void => progress.phase(`${ready} of ${count} are ready`);
    await waitForServers({ adminUrl, count, timeoutMs: READY_TIMEOUT_MS, signal, onChange });
    return { isSkipped: false, summary: `${count} servers are ready` };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(error.message, error.next, { tail: await recentLogs({}, LOG_LINES), cause: error });
  }
}

async function sendSamples(proxy: string, replies: string[], progress: Progress): Promise<Outcome> {
  for (const packet of SAMPLE_PACKETS) {
    progress.line(packet);
    replies.push(`${packet}:\n${(await sendPacket(packet, proxy, progress.signal)).replaceAll(/^/gm, '  ')}`);
  }
  return { isSkipped: false, summary: `${replies.length} packets answered` };
}
