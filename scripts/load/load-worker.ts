// shell · the load generator in a process of its own: takes the options of `npm run load`, prints a line of JSON per request.
// Must never outlive the orchestrator: when its standard input ends, it ends too.
import { runMain } from '../../services/shared/config.ts';
import { runLoad } from './generator.ts';
import { measureLag } from './lag.ts';
import type { WorkerLine } from './load-process.ts';
import { parseLoadCommand } from './options.ts';

const FLUSH_MS = 50;

await runMain('load-worker', async () => {
  const { options } = parseLoadCommand(process.argv.slice(2));
  const ending = new AbortController();
  process.stdin.on('end', () => ending.abort()).on('error', () => ending.abort());
  process.stdin.resume();
  process.on('SIGTERM', () => ending.abort());
  process.stdout.on('error', () => ending.abort());
  let lines = '';
  const print = (line: WorkerLine): void => {
    lines += `${JSON.stringify(line)}\n`;
  };
  const lag = measureLag();
  const flush = (): void => {
    const lagMs = lag.take();
    if (lagMs > 0) print({ lagMs });
    if (lines !== '') process.stdout.write(lines);
    lines = '';
  };
  const timer = setInterval(flush, FLUSH_MS);
  try {
    const result = await runLoad(options, { onRequest: (request) => print({ request }) }, ending.signal);
    print({ end: { startLagP99Ms: result.startLagMs.p99, strayAnswers: result.strayAnswers } });
  } finally {
    clearInterval(timer);
    lag.stop();
    flush();
    process.stdin.destroy();
  }
});
