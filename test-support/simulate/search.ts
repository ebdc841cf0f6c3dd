// shell · searches simulated worlds for a bug that is planted in the proxy's code.
import { join } from 'node:path';
import { type Job, runSeeds, type SeedResult } from '../../scripts/simulate/run.ts';
import type { PlantedBug } from './planted-bugs.ts';

const PLANT = join(import.meta.dirname, 'plant.ts');

/** How many seeds a bug has to be found in. */
export const SEEDS = Number(process.env.PLANTED_SEEDS ?? 200);

/**
 * Runs seeds with the bug, as far as the first that breaks a promise unless `isWhole`.
 * @returns those that broke one
 */
export async function searchFor(
  bug: PlantedBug,
  job: Partial<Job> = {},
  isWhole = false,
): Promise<SeedResult[]> {
  const broken: SeedResult[] = [];
  await runSeeds({
    firstSeed: 1,
    count: SEEDS,
    only: () => bug.only ?? null,
    signal: new AbortController().signal,
    threadOptions: { execArgv: ['--import', PLANT], workerData: { bug } },
    onResult: (result) => {
      if (result.violation !== null) broken.push(result);
      return isWhole || broken.length === 0;
    },
    ...job,
  });
  return broken.toSorted((a, b) => a.seed - b.seed);
}
