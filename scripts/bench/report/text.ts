// pure · the result → text for a terminal of 110 columns.
// Must never leave out the machine: figures without it can't be compared.
import type { BenchResult } from '../result.ts';
import { glanceOf, remarksOf } from './glance.ts';
import { LEGEND, type Table, tablesOf } from './table.ts';

const WIDTH = 110;

/**
 * Several lines; no trailing line end.
 * @param growth the growth's own tables, '' when it was not measured
 */
export function formatResult(result: BenchResult, growth: string): string {
  const tables = tablesOf(result.figures);
  const glance = glanceOf(result.figures);
  const remarks = remarksOf(result);
  const parts = [
    machineLines(result),
    ...tables.map(tableLines),
    ...(tables.length > 0 ? [[...LEGEND]] : []),
    ...(growth === '' ? [] : [[growth]]),
    ...(glance.length > 0 ? [glance.flatMap(wrap)] : []),
    ...(remarks.length > 0 ? [remarks.flatMap(wrap)] : []),
  ];
  return parts.map((lines) => lines.join('\n')).join('\n\n');
}

function machineLines({
  machine,
  repetitions,
  seconds,
  figures,
  runs,
  wasInterrupted,
}: BenchResult): string[] {
  const words = Object.entries(machine).map(([name, value]) => `${name} ${value}`);
  const all = repetitions === 1 ? 'repetition' : 'repetitions, interleaved';
  // The last one may be of some targets only.
  const reached = wasInterrupted ? `ended in ${runs.at(-1)?.repetition ?? 1} of ` : '';
  const times = `${reached}${repetitions} ${all}, ${seconds} s each`;
  return [...wrap(words.join(' · ')), ...(figures.length > 0 ? [times] : [])];
}

function tableLines({ title, head, rows }: Table): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const lines = all.map((row) =>
    row
      .map((word, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? word.padEnd(width) : word.padStart(width);
      })
      .join('  '),
  );
  return [title, ...lines.map((line) => `  ${line}`.trimEnd())];
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = `  ${word}`;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
