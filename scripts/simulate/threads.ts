// shell · seeds spread over threads; results come as they come.
// Must never outlive its caller's signal, or lose what a thread died of.
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Only } from './causes.ts';
import type { PlantedBug } from './planted-bugs.ts';
import type { SeedResult } from './run-seed.ts';

const WORKER = join(import.meta.dirname, 'worker.ts');
const SEEDS_AT_A_TIME = 4;
// A world lives for a tenth of a second: most of it is garbage before it is looked at for the first time.
const YOUNG_MB = 64;

export type SeedOutcome = Omit<SeedResult, 'trace'>;

export type Job = {
  firstSeed: number;
  count: number;
  bug: PlantedBug | null;
  only: Only;
  signal: AbortSignal;
  /** @returns false when that was enough */
  onOutcome: (outcome: SeedOutcome) => boolean;
};

/** Runs `count` seeds from `firstSeed` on, on as many threads as the machine has cores. */
export async function runSeeds(job: Job): Promise<void> {
  const { firstSeed, count, bug, only, signal, onOutcome } = job;
  let nextSeed = firstSeed;
  const endSeed = firstSeed + count;
  let isEnough = false;
  const threads = Math.min(availableParallelism(), Math.ceil(count / SEEDS_AT_A_TIME));
  const take = (): number[] => {
    const seeds: number[] = [];
    while (!isEnough && seeds.length < SEEDS_AT_A_TIME && nextSeed < endSeed) {
      seeds.push(nextSeed);
      nextSeed += 1;
    }
    return seeds;
  };
  const runThread = async (): Promise<void> => {
    const worker = new Worker(WORKER, {
      workerData: { bug, only: only ?? bug?.only ?? null },
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    try {
      await new Promise<void>((resolve, reject) => {
        let open = 0;
        const order = (): void => {
          const seeds = take();
          open = seeds.length;
          if (open === 0) resolve();
          else worker.postMessage({ seeds });
        };
        worker.on('message', (outcome: SeedOutcome) => {
          if (!onOutcome(outcome)) isEnough = true;
          open -= 1;
          if (open === 0 || isEnough) order();
        });
        worker.on('error', reject);
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        order();
      });
    } finally {
      await worker.terminate();
    }
  };
  signal.throwIfAborted();
  await Promise.all(Array.from({ length: threads }, runThread));
}
