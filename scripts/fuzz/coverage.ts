// pure · V8's coverage of one file → what was never run, in lines that a person can look up.
// Must never call a file covered of which V8 has counted whole functions only.

export type V8Function = {
  functionName: string;
  ranges: readonly { startOffset: number; endOffset: number; count: number }[];
};

export type FileCoverage = {
  file: string;
  /** Branches that V8 tells apart: functions, and the blocks in them. */
  branches: number;
  covered: number;
  /** Pieces of the source that were never run, each from the line that it begins on. */
  missing: readonly { line: number; text: string }[];
};

/**
 * @param source the file as it lies on disk: stripped types leave every offset where it was
 * @throws Error when the blocks were not counted, as happens to code that was compiled before the counting began
 */
export function coverageOf(file: string, source: string, functions: readonly V8Function[]): FileCoverage {
  const ranges = functions.flatMap((one) => one.ranges);
  if (ranges.length === functions.length) throw new Error(`the branches of ${file} were not counted`);
  const runs = new Uint8Array(source.length).fill(1);
  const fromTheOutside = ranges.toSorted(
    (a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset,
  );
  for (const { startOffset, endOffset, count } of fromTheOutside) {
    runs.fill(Math.min(count, 1), startOffset, endOffset);
  }
  return {
    file,
    branches: ranges.length,
    covered: ranges.filter(({ count }) => count > 0).length,
    missing: piecesNeverRun(source, runs),
  };
}

function piecesNeverRun(source: string, runs: Uint8Array): { line: number; text: string }[] {
  const pieces: { line: number; text: string }[] = [];
  let start = runs.indexOf(0);
  while (start !== -1) {
    const next = runs.indexOf(1, start);
    const end = next === -1 ? source.length : next;
    const text = source.slice(start, end);
    const blank = text.length - text.trimStart().length;
    const line = source.slice(0, start + blank).split('\n').length;
    if (text.trim() !== '') pieces.push({ line, text: text.trim().split('\n')[0] ?? '' });
    start = runs.indexOf(0, end);
  }
  return pieces;
}
