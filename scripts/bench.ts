// `npm run bench`: measures the proxy beside its peers on the same requests. The parts are in bench/.
import { parseBenchCommand, SCRIPT_NAME } from './bench/options.ts';
import { runScript } from './kit/script.ts';

await runScript(
  SCRIPT_NAME,
  'Nothing was measured, and nothing is left running.',
  async (signal) => {
    const args = process.argv.slice(2);
    const options = parseBenchCommand(args);
    // Loaded only now: what draws takes longer than everything above.
    const { runBench } = await import('./bench/run.ts');
    await runBench(options, args, signal);
  },
  { mustCleanUp: true },
);
