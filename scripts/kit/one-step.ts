// shell · a step of the bootstrap's kind that hands over what it has made.
// Must never print anything of its own.
import type { Progress } from './progress.ts';
import { runSteps } from './steps.ts';

/**
 * Runs `work` as the only step, with its progress shown.
 * @param summaryOf what the step's line says at its end
 * @returns what `work` made; throws what it threw
 */
export async function runOneStep<T>(
  signal: AbortSignal,
  title: string,
  work: (progress: Progress) => Promise<T>,
  summaryOf: (made: T) => string,
  options: { isOnStderr?: boolean } = {},
): Promise<T> {
  const made: T[] = [];
  const run = async (progress: Progress) => {
    const one = await work(progress);
    made.push(one);
    return { isSkipped: false, summary: summaryOf(one) };
  };
  await runSteps(signal, [{ title, run }], options);
  return made[0] as T;
}
