// `npm run load`: sends requests at a fixed rate and reports what became of them; only the result goes to standard output.
import { runMain } from '../services/shared/config.ts';
import { onStopSignal } from '../services/shared/signals.ts';
import { runLoad, UnreachableError } from './load/generator.ts';
import { portWarning } from './load/local-ports.ts';
import { parseLoadCommand, SCRIPT_NAME } from './load/options.ts';
import { createProgress } from './load/progress.ts';
import { formatReport } from './load/report.ts';
import { EXIT_CODES, verdictOf } from './load/result.ts';

// The requests may all have been answered right, but the report does not say it.
const EXIT_NOT_WRITTEN = 1;
const EXIT_UNREACHABLE = 3;
const EXIT_INTERRUPTED = 130;

await runMain(SCRIPT_NAME, async () => {
  const { options, isJson, allowErrors } = parseLoadCommand(process.argv.slice(2));
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // The reader has seen enough (`| head`).
    if (error.code === 'EPIPE') return;
    console.error(`The report can't be written: ${error.message}.`);
    process.exitCode ||= EXIT_NOT_WRITTEN;
  });
  const interruption = new AbortController();
  onStopSignal(() => interruption.abort());
  const warning = portWarning(options);
  if (warning !== null) console.error(warning);
  const progress = createProgress(process.stderr);
  try {
    const result = await runLoad(options, { onProgress: progress.show }, interruption.signal);
    progress.stop();
    console.log(isJson ? JSON.stringify(result) : formatReport(result, allowErrors));
    process.exitCode = result.wasInterrupted ? EXIT_INTERRUPTED : EXIT_CODES[verdictOf(result, allowErrors)];
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    console.error(error.message);
    process.exitCode = EXIT_UNREACHABLE;
  } finally {
    progress.stop();
  }
});
