// shell · before the first run and after the last: the machine made ready, leftovers healed, the cluster as it was found.
// Must never throw the undo file away before everything is healed and put back.
import { realpathSync } from 'node:fs';
import { prepareAppImage } from '../cluster/app-image.ts';
import { prepareEngine } from '../cluster/engine.ts';
import { prepareNodeImage } from '../cluster/node-image.ts';
import { Failure } from '../kit/failure.ts';
import type { Outcome, Progress } from '../kit/progress.ts';
import { ROOT } from '../kit/project.ts';
import type { Step } from '../kit/steps.ts';
import { lookAround, putBack } from './arrange.ts';
import type { ShowSteps } from './command.ts';
import type { ChaosCluster } from './docker.ts';
import { healCluster, healLeftovers } from './heal.ts';
import { type FoundCluster, openUndo, readUndo, type UndoLog } from './undo.ts';

const FOLDER_LABEL = 'com.docker.compose.project.working_dir';

export type Found = { found: FoundCluster | null; undo: UndoLog };

/**
 * Makes the machine ready, heals what a killed run has left, and opens the undo file.
 * @throws Failure when another run is under way, or the cluster is not this folder's
 */
export async function setUp(cluster: ChaosCluster, show: ShowSteps, signal: AbortSignal): Promise<Found> {
  const seen: { found?: Found } = {};
  await show(signal, [
    { title: 'Docker Engine and Compose', run: prepareEngine },
    { title: 'Image with Node 24', run: prepareNodeImage },
    { title: 'Image of the cluster', run: prepareAppImage },
    {
      title: 'What is there',
      run: async (progress) => {
        const { outcome, found } = await takeOver(cluster, progress);
        seen.found = found;
        return outcome;
      },
    },
  ]);
  return seen.found as Found;
}

async function takeOver(
  cluster: ChaosCluster,
  progress: Progress,
): Promise<{ outcome: Outcome; found: Found }> {
  await requireOwn(cluster);
  const left = await readUndo(cluster.project);
  const healed = await healLeftovers(cluster.project, progress);
  const now = await lookAround(cluster);
  // What a killed run had found is what there was before anybody broke anything.
  const found = left === null || now === null ? now : left.found;
  const undo = openUndo(cluster.project, found);
  return { outcome: { isSkipped: false, summary: healed ?? describe(found) }, found: { found, undo } };
}

// Compose tells projects apart by their name alone; a clone beside this one has the same.
async function requireOwn(cluster: ChaosCluster): Promise<void> {
  for (const replica of await cluster.replicas()) {
    const folder = (await cluster.inspect(replica)).Config.Labels[FOLDER_LABEL] ?? '';
    if (folder === '' || realOf(folder) === realOf(ROOT)) continue;
    throw new Failure(
      `The cluster ${cluster.project} that is there was started from ${folder}.`,
      'Run chaos there, or stop that cluster, or give this one another name: COMPOSE_PROJECT_NAME.',
    );
  }
}

function realOf(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}

function describe(found: FoundCluster | null): string {
  if (found === null) return 'no cluster yet: it goes again afterwards';
  const count = Object.values(found.services).reduce((sum, replicas) => sum + replicas, 0);
  return `a cluster of ${count} containers: it is put back as it is now`;
}

/**
 * Heals whatever there is, puts the cluster back unless it is to be kept, and closes the undo file.
 * Not under the run's signal: after Ctrl-C it is done all the same.
 * @returns what could not be done, in words; null when all is well
 */
export async function leaveAsFound(
  cluster: ChaosCluster,
  found: FoundCluster | null,
  undo: UndoLog,
  show: ShowSteps,
  isKept: boolean,
): Promise<string | null> {
  try {
    const left = await healCluster(cluster);
    if (left.length > 0) return `Something is still broken: ${left.join(' ')} ${NEXT}`;
    const step: Step = { title: 'As it was found', run: (progress) => putBack(cluster, found, progress) };
    if (!isKept) await show(new AbortController().signal, [step]);
    undo.close();
    return null;
  } catch (error) {
    return `The cluster could not be put back as it was: ${(error as Error).message} ${NEXT}`;
  }
}

const NEXT = 'The next "npm run chaos" or "npm start" tries again.';
