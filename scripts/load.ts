// `npm run load`: sends requests at a fixed rate and reports what became of them; only the result goes to standard output.
import { runScript } from './kit/script.ts';
import { runLoad } from './load/generator.ts';
import { portWarning } from './load/local-ports.ts';
import { parseLoadCommand, SCRIPT_NAME } from './load/options.ts';
import { createProgress } from './load/progress.ts';
import { formatReport } from './load/report.ts';
import { EXIT_CODES, verdictOf } from './load/result.ts';

await runScript(SCRIPT_NAME, 'Nothing was sent.', async (signal) => {
  const { options, isJson, allowErrors } = parseLoadCommand(process.argv.slice(2));
  const warning = portWarning(options);
  if (warning !== null) console.error(warning);
  const progress = createProgress(process.stderr);
  const result = await runLoad(options, { onProgress: progress.show }, signal).finally(progress.stop);
  console.log(isJson ? JSON.stringify(result) : formatReport(result, allowErrors));
  if (!result.wasInterrupted) process.exitCode = EXIT_CODES[verdictOf(result, allowErrors)];
});
