// shell · plants a bug in the proxy's code, for `node --import` and for threads: the one that `PLANTED` names, or `workerData`.
import { registerHooks } from 'node:module';
import { workerData } from 'node:worker_threads';
import { PLANTED_BUGS, type PlantedBug, plant } from './planted-bugs.ts';

const bug: PlantedBug | undefined =
  workerData?.bug ?? PLANTED_BUGS.find(({ name }) => name === process.env.PLANTED);
if (bug === undefined) throw new Error(`There is no planted bug "${process.env.PLANTED}".`);
registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context);
    if (!url.endsWith(`/services/${bug.file}`)) return loaded;
    return { ...loaded, source: plant(String(loaded.source), bug) };
  },
});
