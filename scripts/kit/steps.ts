// shell · shows the steps of a command as they run, with listr2: a live list in a terminal, plain lines elsewhere.
import { Listr, type ListrTask, PRESET_TIMER } from 'listr2';

/** How a step says what it is doing. */
export type Progress = {
  /** A new part of the step begins: worth a line in any log. */
  phase(text: string): void;
  /** A line of a program's own output: shown in a terminal only. */
  line(text: string): void;
  signal: AbortSignal;
};

/** What a step did, in words; `skipped`: why there was nothing to do. */
export type Outcome = string | { skipped: string };

export type Step = { title: string; run: (progress: Progress) => Promise<Outcome> };

/** For callers that show nothing. */
export const SILENT: Progress = { phase() {}, line() {}, signal: new AbortController().signal };

/**
 * Runs the steps one after the other and stops at the first that fails.
 * @param isOnStderr in plain lines on standard error, because standard output is for a machine
 * @throws what that step has thrown
 */
export async function runSteps(
  signal: AbortSignal,
  steps: readonly Step[],
  { isOnStderr = false } = {},
): Promise<void> {
  if (isOnStderr) {
    for (const { title, run } of steps) {
      const phase = (text: string): void => console.error(`${title}: ${text}`);
      phase(wordsOf(await run({ ...SILENT, signal, phase })));
    }
    return;
  }
  const isLive = isDrawnOn(process.stdout);
  const tasks = steps.map((step) => asTask(step, signal, isLive));
  await new Listr(tasks, {
    renderer: isLive ? 'default' : 'simple',
    // runScript has its own, which end what is under way.
    registerSignalListeners: false,
    rendererOptions: { collapseSkips: true, showErrorMessage: false, timer: PRESET_TIMER },
    fallbackRenderer: 'simple',
    fallbackRendererOptions: { timer: PRESET_TIMER },
  }).run();
}

/** Whether a live list can be drawn: a terminal that nobody has given a width (`script`, `ssh -tt` in a job) has 0 columns. */
export function isDrawnOn({ isTTY, columns }: { isTTY?: boolean; columns?: number }): boolean {
  return isTTY === true && columns !== 0;
}

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
  const run = async (progress: Progress): Promise<Outcome> => {
    const one = await work(progress);
    made.push(one);
    return summaryOf(one);
  };
  await runSteps(signal, [{ title, run }], options);
  return made[0] as T;
}

function asTask({ title, run }: Step, signal: AbortSignal, isLive: boolean): ListrTask {
  return {
    title,
    task: async (_context, task) => {
      const show = (text: string): void => {
        task.output = text;
      };
      const outcome = await run({ signal, phase: show, line: isLive ? show : () => {} });
      const words = wordsOf(outcome);
      // A live list shows the message in place of the title, plain lines show it behind the title.
      if (typeof outcome === 'object') task.skip(`${isLive ? `${title}: ` : ''}${words}`);
      else task.title = `${title}: ${words}`;
    },
  };
}

function wordsOf(outcome: Outcome): string {
  return typeof outcome === 'object' ? outcome.skipped : outcome;
}
