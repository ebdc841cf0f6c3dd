// shell · the image of the roles as they were at another commit: versions that have to work side by side are tried that way.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { given } from '../../services/shared/config.ts';
import { run } from '../kit/command.ts';
import { CACHE, ROOT, readSetting } from '../kit/project.ts';
import type { Progress, Step } from '../kit/steps.ts';
import { localImageId } from './app-image.ts';
import { writeBuildSecrets } from './secrets.ts';

const ASK_TIMEOUT_MS = 20_000;
const BUILD_TIMEOUT_MS = 600_000;
const INGREDIENTS = ['Dockerfile', '.dockerignore', 'package.json', 'package-lock.json', 'services'];
const NEXT = 'Name a commit or a tag of this repository, from which an image can be built.';

/** The options of commands that can take a role from another commit. */
export const FROM_FLAGS = {
  'proxy-from': { type: 'string', describe: "commit or tag whose proxy is run (today's files)" },
  'servers-from': { type: 'string', describe: "commit or tag whose servers are run (today's files)" },
} as const;

/** A commit or tag for each role; null: today's files. */
export type RolesFrom = { proxy: string | null; servers: string | null };

/** What was given of these options. @throws UsageError when one of them is empty */
export function rolesFrom({
  proxyFrom,
  serversFrom,
}: {
  proxyFrom?: unknown;
  serversFrom?: unknown;
}): RolesFrom {
  return { proxy: given('--proxy-from', proxyFrom), servers: given('--servers-from', serversFrom) };
}

/**
 * The steps that build what is asked for, after the node image is there.
 * @param env gets the variables with which Compose takes these images
 */
export function olderImages({ proxy, servers }: RolesFrom, env: Record<string, string>): Step[] {
  const step = (role: string, variable: string, ref: string): Step => ({
    title: `Image of the ${role}`,
    run: async (progress) => {
      const { image, isNew } = await prepareOlderImage(ref, progress);
      env[variable] = image;
      const words = `${image}, as at ${ref}`;
      return isNew ? words : { skipped: words };
    },
  });
  return [
    ...(proxy === null ? [] : [step('proxy', 'PROXY_IMAGE', proxy)]),
    ...(servers === null ? [] : [step('servers', 'SERVER_IMAGE', servers)]),
  ];
}

async function prepareOlderImage(
  ref: string,
  progress: Progress,
): Promise<{ image: string; isNew: boolean }> {
  const { signal, phase, line } = progress;
  const what = `There is no image of "${ref}"`;
  const options = { cwd: ROOT, timeoutMs: ASK_TIMEOUT_MS, signal, failure: { what, next: NEXT } };
  const commit = (
    await run('git', ['rev-parse', '--verify', '--short=12', `${ref}^{commit}`], options)
  ).trim();
  const image = `policy-proxy:${commit}`;
  if ((await localImageId(image, signal)) !== null) return { image, isNew: false };
  phase(`building ${image}`);
  await writeBuildSecrets(signal);
  const folder = join(CACHE, 'build', commit);
  const archive = `${folder}.tar`;
  await mkdir(folder, { recursive: true });
  try {
    await run('git', ['archive', '--output', archive, commit, ...INGREDIENTS], options);
    await run('tar', ['-xf', archive, '-C', folder], options);
    const secrets = { npmrc: 'BUILD_NPMRC', ca: 'BUILD_CA' };
    const mounted = Object.entries(secrets).map(([id, name]) => `id=${id},src=${readSetting(name)}`);
    const args = ['--tag', image, '--build-arg', `NODE_IMAGE=${readSetting('NODE_IMAGE')}`];
    await run('docker', ['build', ...args, ...mounted.flatMap((secret) => ['--secret', secret]), folder], {
      ...options,
      env: { ...process.env, BUILDKIT_PROGRESS: 'plain' },
      timeoutMs: BUILD_TIMEOUT_MS,
      onLine: line,
    });
  } finally {
    await Promise.all([folder, archive].map((path) => rm(path, { recursive: true, force: true })));
  }
  return { image, isNew: true };
}
