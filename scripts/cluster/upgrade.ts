// shell · replaces containers that are out of date by new ones without an outage: servers first, then the proxies.
import { attempt } from '../kit/command.ts';
import { Failure } from '../kit/failure.ts';
import { fetchPolicies, waitUntilWhole } from '../kit/policies.ts';
import { clusterName, readSetting } from '../kit/project.ts';
import type { Outcome, Progress } from '../kit/steps.ts';
import { until } from '../kit/time.ts';
import { plural } from '../kit/words.ts';
import { appImage, localImageId } from './app-image.ts';
import { compose, docker, GRACE_S, proxyCount, repair } from './cluster.ts';
import { type Container, isUp, listContainers, type PublishedProxy, runningProxies } from './containers.ts';
import { type ServerService, serversByPolicy } from './services.ts';

const READY_TIMEOUT_MS = 30_000;
const INSPECT_TIMEOUT_MS = 20_000;
const POLL_MS = 100;

type Sorted = { current: Container[]; old: Container[] };

/**
 * Replaces the servers of one service: starts as many new ones as it is to have, waits until every proxy has them in
 * rotation, then stops and removes the old ones. Interrupted at any point, it leaves more servers than before, and
 * continues there when it is run again.
 * @throws Failure when the new servers do not become ready: the old ones serve on then
 */
export async function upgradeServers(
  { name, replicas }: ServerService,
  progress: Progress,
): Promise<Outcome> {
  const { current, old } = await sortContainers(name, progress);
  const { unpaused } = await repair([...current, ...old], progress);
  const running = old.filter(isUp);
  const ended = old.filter((container) => !isUp(container));
  if (old.length === 0 && current.length === replicas && current.every(isUp) && unpaused === 0) {
    return { skipped: `${plural(replicas, 'server')} (up to date)` };
  }
  // Compose would start an old one that has ended before it makes a new one.
  if (ended.length > 0) await docker('rm', [], ended, 'An old server could not be removed', progress);
  const wanted = running.length + Math.max(replicas, current.length);
  progress.phase(
    `starting ${plural(Math.max(0, replicas - current.length), 'server')} beside ${running.length} old`,
  );
  // Not with --no-deps: that changes what Compose compares, and the next `up` would make all of them again at once.
  const scale = ['--no-build', '--no-recreate', '--scale', `${name}=${wanted}`, name];
  await compose({}, ['up', '--detach', ...scale], `New servers of ${name} could not be started`, progress);
  const started = (await sortContainers(name, progress)).current;
  if (started.length < replicas) {
    const next = 'The old ones still serve. Look at "docker compose ps", then run this again.';
    throw new Failure(`Compose has made ${started.length} of ${replicas} new servers of ${name}.`, next);
  }
  for (const proxy of await runningProxies(progress.signal))
    await waitUntilReady(name, started, proxy, progress);
  if (running.length > 0) {
    const what = 'An old server could not be stopped';
    await docker('stop', ['--time', String(GRACE_S)], running, what, progress);
    await docker('rm', [], running, 'An old server could not be removed', progress);
  }
  return `${plural(started.length, 'server')} ready, ${old.length} old removed`;
}

/**
 * Several proxies that were started with PROXIES in one command's environment are not to become one by a command that does
 * not have it: their clients would find none while that one is replaced.
 * @param running how many proxies run
 * @throws Failure when more than one runs, and no setting says how many there are to be
 */
export function requireKnownCount(running: number, settings: NodeJS.Dict<string> = {}): void {
  const setting = (name: string): string => settings[name] ?? readSetting(name) ?? '';
  const isSaid = setting('PROXIES') !== '' || /\d-\d/.test(setting('PROXY_PUBLISH_PORT'));
  if (running <= 1 || isSaid) return;
  throw new Failure(
    `${running} proxies run, and no setting says how many there are to be.`,
    `To keep them:\n  PROXIES=${running} npm run upgrade\nor, for every command:\n  echo PROXIES=${running} >> .env && npm run upgrade`,
    { exitCode: 2 },
  );
}

/**
 * Replaces the proxies that are out of date, one after the other, and waits each time until the new one's table is whole.
 * An old one finishes what it has and ends before its successor takes its port. Clients that know several proxies, or try
 * again for a few seconds, lose nothing.
 */
export async function upgradeProxies(
  services: readonly ServerService[],
  progress: Progress,
): Promise<Outcome> {
  const scale = ['--no-build', '--no-recreate', '--scale', `proxy=${proxyCount()}`, 'proxy'];
  let { current, old } = await sortContainers('proxy', progress);
  if (current.length + old.length > proxyCount()) {
    await compose({}, ['up', '--detach', ...scale], 'The proxies could not be scaled down', progress);
    ({ current, old } = await sortContainers('proxy', progress));
  }
  if (old.length === 0) return { skipped: 'up to date' };
  for (const [index, one] of old.entries()) {
    await docker('stop', ['--time', String(GRACE_S)], [one], 'An old proxy could not be stopped', progress);
    await docker('rm', [], [one], 'An old proxy could not be removed', progress);
    progress.phase(`replacing ${one.name} (${index + 1} of ${old.length})`);
    await compose({}, ['up', '--detach', ...scale], 'A new proxy could not be started', progress);
    await waitUntilWhole(await runningProxies(progress.signal), serversByPolicy(services), progress);
  }
  const which = old.length === 1 ? '' : `${old.length}, one by one, `;
  return `replaced ${which}and every server has registered again`;
}

/** A service's containers: those that Compose would make in the same way today, and the others. */
async function sortContainers(service: string, progress: Progress): Promise<Sorted> {
  const { signal } = progress;
  const containers = (await listContainers(clusterName(), signal)).filter((one) => one.service === service);
  const hashes = await compose({}, ['config', '--hash', service], 'Compose could not be asked', progress);
  const hash = hashes.trim().split(' ')[1];
  const image = await localImageId(appImage(), signal);
  const images = await imagesOf(containers, signal);
  const isCurrent = ({ id, configHash }: Container): boolean =>
    configHash === hash && images.get(id) === image;
  return { current: containers.filter(isCurrent), old: containers.filter((one) => !isCurrent(one)) };
}

async function imagesOf(
  containers: readonly Container[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  if (containers.length === 0) return new Map();
  const ids = containers.map(({ id }) => id);
  const args = ['inspect', '--format', '{{slice .Id 0 12}} {{.Image}}', ...ids];
  const { stdout } = await attempt('docker', args, { timeoutMs: INSPECT_TIMEOUT_MS, signal });
  return new Map(stdout.split('\n').map((line) => line.split(' ') as [string, string]));
}

async function waitUntilReady(
  name: string,
  containers: readonly Container[],
  { name: proxy, adminUrl }: PublishedProxy,
  { phase, signal }: Progress,
): Promise<void> {
  phase(`waiting until ${containers.length} are ready for ${proxy}`);
  let missing = containers;
  const look = async (): Promise<boolean> => {
    const { policies } = await fetchPolicies(adminUrl, signal);
    const servers = policies.flatMap((policy) => policy.servers);
    const good = servers.filter(({ state }) => state === 'ready' || state === 'standby');
    const ready = new Set(good.map(({ id }) => id));
    missing = containers.filter(({ id }) => !ready.has(id));
    return missing.length === 0;
  };
  if (await until(look, { withinMs: READY_TIMEOUT_MS, everyMs: POLL_MS, signal })) return;
  throw new Failure(
    `New servers of ${name} are not ready after ${READY_TIMEOUT_MS / 1000} s: ${missing.map((one) => one.name).join(', ')}.`,
    `The old ones still serve. Look at "docker logs ${missing[0]?.name}", correct what it says, and run this again.`,
  );
}
