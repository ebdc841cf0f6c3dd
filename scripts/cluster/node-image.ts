// shell · the image with Node 24 that everything is built on: what is there, else the real one, else a stand-in.
import { attempt } from '../kit/command.ts';
import { Failure } from '../kit/failure.ts';
import { isSupportedDebian, readOsRelease } from '../kit/packages.ts';
import { readSetting, writeSettings } from '../kit/project.ts';
import { type Outcome, type Progress, SILENT } from '../kit/steps.ts';
import { localImageId } from './app-image.ts';
import { buildStandIn, STAND_IN } from './stand-in.ts';

const NODE_IMAGE = 'node:24-slim';
const PULL_TIMEOUT_MS = 600_000;
const PULL_ANSWER_MS = 15_000;

/**
 * Makes sure that there is an image with Node 24 and npm, and writes its name into .env as NODE_IMAGE.
 * A NODE_IMAGE that somebody has set is taken as it is.
 * @throws Failure when it can be neither pulled nor built
 */
export async function prepareNodeImage(progress: Progress = SILENT): Promise<Outcome> {
  const wanted = readSetting('NODE_IMAGE') ?? NODE_IMAGE;
  const isOurs = wanted === NODE_IMAGE || wanted === STAND_IN;
  const candidates = isOurs ? [wanted, NODE_IMAGE, STAND_IN] : [wanted];
  for (const image of candidates) {
    if ((await localImageId(image, progress.signal)) === null) continue;
    await writeSettings({ NODE_IMAGE: image });
    return { skipped: `${image} (already here)` };
  }
  const image = isOurs ? NODE_IMAGE : wanted;
  progress.phase(`pulling ${image}`);
  const problem = await pull(image, progress);
  if (problem === null) {
    await writeSettings({ NODE_IMAGE: image });
    return image;
  }
  if (image !== NODE_IMAGE || !isSupportedDebian(await readOsRelease())) {
    throw new Failure(
      `The image ${image} could not be pulled.`,
      'Check the network, or set NODE_IMAGE in .env to an image with Node 24 and npm that is on this machine; ' +
        'only on Debian 12 and 13 a stand-in can be built.',
      { tail: problem },
    );
  }
  await buildStandIn(progress);
  await writeSettings({ NODE_IMAGE: STAND_IN });
  return `${STAND_IN} (${NODE_IMAGE} can't be pulled here)`;
}

/** @returns null, or what Docker said when it could not pull the image */
export async function pull(image: string, { signal, line }: Progress): Promise<string | null> {
  const result = await attempt('docker', ['pull', image], {
    timeoutMs: PULL_TIMEOUT_MS,
    firstLineWithinMs: PULL_ANSWER_MS,
    signal,
    onLine: line,
  });
  return result.isOk ? null : result.tail || result.outcome;
}
