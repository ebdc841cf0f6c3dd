// shell · `npm run bench`: measures the proxy beside its peers on the same requests. The parts are in bench/.
// Must never leave a process behind, or say less than was measured.
import { parseBenchCommand, SCRIPT_NAME } from './bench/options.ts';
import { runScript } from './kit/script.ts';

const AFTER_INTERRUPTION = 'Nothing was measured, and nothing is left running.';

await runScript(SCRIPT_NAME, AFTER_INTERRUPTION, main, { mustCleanUp: true });

async function main(signal: AbortSignal): Promise<void> {
  const options = parseBenchCommand(process.argv.slice(2));
  // Loaded only now: what draws takes longer than everything above.
  const { runBench } = await import('./bench/run.ts');
  await runBench(options, signal);
}
