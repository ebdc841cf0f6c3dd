// shell · progress on standard error: a bar on a terminal, a plain line every few seconds elsewhere.
import { SingleBar } from 'cli-progress';
import type { LoadProgress } from './generator.ts';

const LINE_EVERY_MS = 5000;

/** @param stream where progress goes; a bar is drawn only if it is a terminal */
export function createProgress(stream: NodeJS.WriteStream): {
  show(progress: LoadProgress): void;
  stop(): void;
} {
  const bar = new SingleBar({
    format: '{bar} {value}/{total} · {counts}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    // Ctrl-C ends the run with a report, and that is the main program's business.
    gracefulExit: false,
    stream,
  });
  let nextMs = stream.isTTY ? 0 : LINE_EVERY_MS;
  return {
    show: (progress) => {
      const { elapsedMs, planned, due } = progress;
      if (stream.isTTY) {
        if (!bar.isActive) bar.start(planned, 0, { counts: '' });
        bar.update(due, { counts: counts(progress) });
      } else if (elapsedMs >= nextMs) {
        nextMs += LINE_EVERY_MS;
        const seconds = (elapsedMs / 1000).toFixed(0);
        stream.write(`load: ${seconds} s, ${due}/${planned} requests · ${counts(progress)}\n`);
      }
    },
    stop: () => bar.stop(),
  };
}

function counts({ ok, wrong, error, lost, dropped, inFlight }: LoadProgress): string {
  return `ok ${ok}, wrong ${wrong}, errors ${error}, lost ${lost}, dropped ${dropped}, waiting ${inFlight}`;
}
