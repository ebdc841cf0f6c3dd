// shell · a thread of the simulator in which the proxy's code has a bug: as scripts/simulate/run.ts, which it becomes.
import { registerHooks } from 'node:module';
import { workerData } from 'node:worker_threads';
import { type PlantedBug, plant } from './planted-bugs.ts';

const { bug } = workerData as { bug: PlantedBug };
registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context);
    if (!url.endsWith(`/services/${bug.file}`)) return loaded;
    return { ...loaded, source: plant(String(loaded.source), bug) };
  },
});
await import('../../scripts/simulate/run.ts');
