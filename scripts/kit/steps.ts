// shell · shows the steps of the bootstrap as they run, with listr2: a live list in a terminal, plain lines elsewhere.
import { Listr, type ListrTask, PRESET_TIMER } from 'listr2';
import type { Outcome, Progress } from './progress.ts';

export type Step = { title: string; run: (progress: Progress) => Promise<Outcome> };

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
    await runOnStderr(signal, steps);
    return;
  }
  const isLive = process.stdout.isTTY === true;
  const options = {
    concurrent: false,
    exitOnError: true,
    // The scripts have their own, which end what is under way.
    registerSignalListeners: false,
    rendererOptions: {
      collapseSkips: true,
      collapseErrors: true,
      showErrorMessage: false,
      timer: PRESET_TIMER,
    },
    fallbackRenderer: 'simple',
    fallbackRendererOptions: { timer: PRESET_TIMER },
  } as const;
  await new Listr(
    steps.map((step) => asTask(step, signal, isLive)),
    options,
  ).run();
}

async function runOnStderr(signal: AbortSignal, steps: readonly Step[]): Promise<void> {
  for (const { title, run } of steps) {
    const phase = (text: string): void => console.error(`${title}: ${text}`);
    phase((await run({ signal, phase, line: () => {} })).summary);
  }
}

function asTask({ title, run }: Step, signal: AbortSignal, isLive: boolean): ListrTask {
  return {
    title,
    task: async (_context, task) => {
      const show = (text: string): void => {
        task.output = text;
      };
      // A log has no use for every line of apt; a person who waits has.
      const { isSkipped, summary } = await run({ signal, phase: show, line: isLive ? show : () => {} });
      // A live list shows the message in place of the title, plain lines show it behind the title.
      if (isSkipped) task.skip(`${isLive ? `${title}: ` : ''}${summary}`);
      else task.title = `${title}: ${summary}`;
    },
  };
}
