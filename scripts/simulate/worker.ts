// shell · runs seeds in a thread of its own, perhaps on code with a bug planted in it.
// Must never let that code be seen by another thread, or an error of it go unseen.
import { registerHooks } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import type { Only } from './causes.ts';
import { type PlantedBug, plant } from './planted-bugs.ts';

/** What the thread is asked for: these seeds, one after another. */
export type SeedOrder = { seeds: number[] };

const { bug, only } = workerData as { bug: PlantedBug | null; only: Only };
if (bug !== null) {
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context);
      if (!url.endsWith(`/services/${bug.file}`)) return loaded;
      return { ...loaded, source: plant(String(loaded.source), bug) };
    },
  });
}
const { runSeed } = await import('./run-seed.ts');
parentPort?.on('message', async ({ seeds }: SeedOrder) => {
  for (const seed of seeds) {
    const { trace, ...result } = await runSeed(seed, false, only);
    parentPort?.postMessage(result);
  }
});
