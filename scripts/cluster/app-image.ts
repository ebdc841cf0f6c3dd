// shell · the project's own image, built only when something that goes into it has changed.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt, run } from '../kit/command.ts';
import { CACHE, clusterName, ROOT, readSetting } from '../kit/project.ts';
import { type Outcome, type Progress, SILENT } from '../kit/steps.ts';
import { writeBuildSecrets } from './secrets.ts';

const INSPECT_TIMEOUT_MS = 20_000;
const BUILD_TIMEOUT_MS = 600_000;
const RECORD = join(CACHE, 'build', 'image.json');
const INGREDIENTS = [
  'Dockerfile',
  '.dockerignore',
  'docker-compose.yml',
  'package.json',
  'package-lock.json',
];

/** The name of the image of all roles. */
export function appImage(): string {
  return readSetting('POLICY_PROXY_IMAGE') ?? 'policy-proxy:local';
}

/** The id of a local image, or null when there is none of that name. */
export async function localImageId(name: string, signal?: AbortSignal): Promise<string | null> {
  const args = ['image', 'inspect', '--format', '{{.Id}}', name];
  const { isOk, stdout } = await attempt('docker', args, { timeoutMs: INSPECT_TIMEOUT_MS, signal });
  return isOk ? stdout.trim() : null;
}

/**
 * Builds the image of all roles unless the one that is there was built from the same files: dates say nothing, since a
 * clone or a checkout changes them. `prepareNodeImage` has to be done before.
 * @throws Failure with the last lines of the build
 */
export async function prepareAppImage(progress: Progress = SILENT): Promise<Outcome> {
  const { signal } = progress;
  const image = appImage();
  const nodeImage = readSetting('NODE_IMAGE') ?? '';
  const content = await hashContent(`${image} ${nodeImage} ${await localImageId(nodeImage, signal)}`);
  const record = (imageId: string | null): string => `${JSON.stringify({ content, imageId })}\n`;
  const present = await localImageId(image, signal);
  const recorded = await readFile(RECORD, 'utf8').catch(() => '');
  if (present !== null && recorded === record(present)) return { skipped: `${image} (up to date)` };
  progress.phase(`building ${image}`);
  await writeBuildSecrets(signal);
  await run('docker', ['compose', '--project-name', clusterName(), 'build', 'proxy'], {
    cwd: ROOT,
    // The image that is built is today's, whichever the proxy is run from.
    env: { ...process.env, BUILDKIT_PROGRESS: 'plain', PROXY_IMAGE: '' },
    timeoutMs: BUILD_TIMEOUT_MS,
    signal,
    onLine: progress.line,
    failure: {
      what: 'The image could not be built',
      next: 'Correct what the lines above say, then run it again.',
    },
  });
  await mkdir(join(CACHE, 'build'), { recursive: true });
  await writeFile(RECORD, record(await localImageId(image, signal)));
  return image;
}

async function hashContent(seed: string): Promise<string> {
  const entries = await readdir(join(ROOT, 'services'), { recursive: true, withFileTypes: true });
  const services = entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1));
  const hash = createHash('sha256').update(seed);
  for (const path of [...INGREDIENTS, ...services.sort()]) {
    const bytes = await readFile(join(ROOT, path));
    hash.update(`\n${path} ${bytes.length}\n`).update(bytes);
  }
  return hash.digest('hex');
}
