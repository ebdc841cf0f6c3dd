// shell · the project's own image, built only when something that goes into it has changed.
// Must never decide by dates: a clone or a checkout changes all of them.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../kit/command.ts';
import { type Outcome, type Progress, SILENT } from '../kit/progress.ts';
import { CACHE, clusterName, ROOT, readSetting } from '../kit/project.ts';
import { writeBuildSecrets } from './build-secrets.ts';
import { localImageId } from './images.ts';

const IMAGE = 'policy-proxy:local';
const RECORD = join(CACHE, 'build', 'image.json');
const BUILD_TIMEOUT_MS = 600_000;
const INGREDIENTS = [
  'Dockerfile',
  '.dockerignore',
  'docker-compose.yml',
  'package.json',
  'package-lock.json',
];

/**
 * Builds the image of all roles unless the one that is there was built from the same files.
 * `prepareNodeImage` has to be done before.
 * @throws Failure with the last lines of the build
 */
export async function prepareAppImage(progress: Progress = SILENT): Promise<Outcome> {
  const image = readSetting('POLICY_PROXY_IMAGE') ?? IMAGE;
  const nodeImage = readSetting('NODE_IMAGE') ?? '';
  const content = await hashContent(
    `${image} ${nodeImage} ${await localImageId(nodeImage, progress.signal)}`,
  );
  const recorded = await readFile(RECORD, 'utf8').catch(() => '');
  const present = await localImageId(image, progress.signal);
  if (present !== null && recorded === formatRecord(content, present))
    return { isSkipped: true, summary: `${image} (up to date)` };
  progress.phase(`building ${image}`);
  await writeBuildSecrets(progress.signal);
  await run('docker', ['compose', '--project-name', clusterName(), 'build', 'proxy'], {
    cwd: ROOT,
    env: { ...process.env, BUILDKIT_PROGRESS: 'plain' },
    timeoutMs: BUILD_TIMEOUT_MS,
    signal: progress.signal,
    onLine: progress.line,
    failure: {
      what: 'The image could not be built',
      next: 'Mend what the lines above say, then run it again.',
    },
  });
  await mkdir(join(CACHE, 'build'), { recursive: true });
  await writeFile(RECORD, formatRecord(content, (await localImageId(image, progress.signal)) ?? ''));
  return { isSkipped: false, summary: image };
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

function formatRecord(content: string, imageId: string): string {
  return `${JSON.stringify({ content, imageId })}\n`;
}
