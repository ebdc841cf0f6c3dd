// shell · searches simulated worlds for a bug that is planted in the proxy's code.
import { join } from 'node:path';
import { type Job, runSeed, runSeeds, type SeedResult } from '../../scripts/simulate/run.ts';
import type { PlantedBug } from './planted-bugs.ts';

const PLANT = join(import.meta.dirname, 'plant.ts');

/** How many seeds a bug has to be found in, if it does not say so itself. */
export const SEEDS = Number(process.env.PLANTED_SEEDS ?? 200);

/** @returns the first seed found that breaks a promise with the bug, and none without it; undefined when there is none */
export async function searchFor(bug: PlantedBug): Promise<SeedResult | undefined> {
  let firstSeed = 1;
  while (firstSeed <= SEEDS) {
    const [found] = await brokenSeeds(bug, { firstSeed, count: SEEDS + 1 - firstSeed }, true);
    if (found === undefined) return undefined;
    const { violation } = await runSeed({ seed: found.seed, only: bug.only ?? null, isTracing: false });
    if (violation === null) return found;
    firstSeed = found.seed + 1;
  }
  return undefined;
}

/** Runs seeds with a bug, only as far as the first that breaks a promise if `isEnough`. @returns those that do */
export async function brokenSeeds(
  bug: PlantedBug,
  job: Partial<Job> & Pick<Job, 'firstSeed' | 'count'>,
  isEnough: boolean,
): Promise<SeedResult[]> {
  const broken: SeedResult[] = [];
  await runSeeds({
    only: () => bug.only ?? null,
    signal: new AbortController().signal,
    threadOptions: { execArgv: ['--import', PLANT], workerData: { bug } },
    onResult: (result) => {
      if (result.violation !== null) broken.push(result);
      return !isEnough || broken.length === 0;
    },
    ...job,
  });
  return broken.toSorted((a, b) => a.seed - b.seed);
}
