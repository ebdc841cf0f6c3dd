// shell · progress on standard error: a bar on a terminal, a plain line every few seconds elsewhere.
// Must never write to standard output, which belongs to the report.
import { SingleBar } from 'cli-progress';
import type { LoadProgress } from './observers.ts';

const LINE_EVERY_MS = 5000;

export type ProgressDisplay = { show(progress: LoadProgress): void; stop(): void };

/** @param stream where progress goes; a bar is drawn only if it is a terminal */
export function createProgress(stream: NodeJS.WriteStream): ProgressDisplay {
  return stream.isTTY ? bar(stream) : lines(stream);
}

function bar(stream: NodeJS.WriteStream): ProgressDisplay {
  const single = new SingleBar({
    format: '{bar} {value}/{total} · {counts}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    // Ctrl-C ends the run with a report, and that is the main program's business.
    gracefulExit: false,
    stream,
  });
  let hasStarted = false;
  return {
    show: (progress) => {
      if (!hasStarted) single.start(progress.planned, 0, { counts: '' });
      hasStarted = true;
      single.update(progress.due, { counts: counts(progress) });
    },
    stop: () => {
      if (hasStarted) single.stop();
    },
  };
}

function lines(stream: NodeJS.WriteStream): ProgressDisplay {
  let nextMs = LINE_EVERY_MS;
  return {
    show: (progress) => {
      if (progress.elapsedMs < nextMs) return;
      nextMs += LINE_EVERY_MS;
      const seconds = (progress.elapsedMs / 1000).toFixed(0);
      stream.write(
        `load: ${seconds} s, ${progress.due}/${progress.planned} requests · ${counts(progress)}\n`,
      );
    },
    stop: () => {},
  };
}

function counts({ ok, wrong, errorReplies, lost, dropped, inFlight }: LoadProgress): string {
  return `ok ${ok}, wrong ${wrong}, errors ${errorReplies}, lost ${lost}, dropped ${dropped}, waiting ${inFlight}`;
}
