// seam · how a step of the bootstrap tells what it is doing. Must never decide anything.

export type Progress = {
  /** A new part of the step begins: worth a line in any log. */
  phase(text: string): void;
  /** A program's own output, for somebody who watches. */
  line(text: string): void;
  signal: AbortSignal;
};

/** What a step did: a skipped one says why there was nothing to do. */
export type Outcome = { isSkipped: boolean; summary: string };

/** For callers that do not watch. */
export const SILENT: Progress = { phase() {}, line() {}, signal: new AbortController().signal };
