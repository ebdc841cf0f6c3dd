// shell · `npm run load`: sends requests at a fixed rate and says what became of them. The parts are in load/.
// Must never print anything but the result on standard output, so that `--json` can be piped.
import { runMain } from '../services/shared/config.ts';
import { onStopSignal } from '../services/shared/signals.ts';
import { runLoad } from './load/generator.ts';
import { portWarning, readPortRange } from './load/local-ports.ts';
import { parseLoadCommand } from './load/options.ts';
import { UnreachableError } from './load/preflight.ts';
import { createProgress } from './load/progress.ts';
import { formatReport } from './load/report.ts';
import { EXIT_INTERRUPTED, EXIT_UNREACHABLE, exitCodeOf } from './load/result.ts';

// The requests may all have been answered right, but nobody can know it.
const EXIT_NOT_WRITTEN = 1;

await runMain('npm run load --', async () => {
  const { options, isJson, allowErrors } = parseLoadCommand(process.argv.slice(2));
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever read it has seen enough (`| head`).
    if (error.code === 'EPIPE') return;
    console.error(`The report can't be written: ${error.message}.`);
    process.exitCode ||= EXIT_NOT_WRITTEN;
  });
  const interruption = new AbortController();
  onStopSignal(() => interruption.abort());
  const warning = portWarning(options, readPortRange());
  if (warning !== null) console.error(warning);
  const progress = createProgress(process.stderr);
  try {
    const result = await runLoad(options, { onProgress: progress.show }, interruption.signal);
    progress.stop();
    console.log(isJson ? JSON.stringify(result) : formatReport(result, allowErrors));
    process.exitCode = result.wasInterrupted ? EXIT_INTERRUPTED : exitCodeOf(result, allowErrors);
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    console.error(error.message);
    process.exitCode = EXIT_UNREACHABLE;
  } finally {
    progress.stop();
  }
});
