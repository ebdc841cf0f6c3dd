// pure · numbers, lengths of time, names and tables as a person reads them, in a terminal and on a page.
import { stripVTControlCharacters } from 'node:util';

const MISSING = '–';

/** A count with its thousands set apart: `60,012`; what is no number is a dash, here and below. */
export function count(value: number): string {
  if (!Number.isFinite(value)) return MISSING;
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 eviction`, `3 evictions`. */
export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** Three significant digits at most, never an exponent: `0.42`, `3.71`, `12.4`, `1,204`. */
export function decimal(value: number): string {
  if (!Number.isFinite(value)) return MISSING;
  const size = Math.abs(value);
  if (size >= 100) return count(value);
  return value.toFixed(size >= 10 ? 1 : 2);
}

/** A share of a whole, or of 1: `0.01 %`, `25.0 %`; of nothing it is a dash. */
export function percent(part: number, whole = 1): string {
  const value = (100 * part) / whole;
  if (!Number.isFinite(value)) return MISSING;
  if (value === 0) return '0 %';
  return `${Math.abs(value) < 0.1 ? Number(value.toPrecision(1)) : value.toFixed(1)} %`;
}

/** Seconds with two decimals from ms, without the unit: `12.04`. */
export function seconds(ms: number | null): string {
  return ms === null || !Number.isFinite(ms) ? MISSING : (ms / 1000).toFixed(2);
}

/** A length of time: `16 ms`, `1.75 s`. */
export function duration(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return MISSING;
  return Math.abs(ms) < 999.5 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** A place in a run, in minutes and seconds: `3:20`. */
export function clock(ms: number): string {
  const whole = Math.floor(ms / 1000);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** A text that has to fit into a place: its beginning and an ellipsis. */
export function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** The first ones of a list, and how many more there are: `a, b, c and 4 more`. */
export function shortList(names: readonly string[], most: number): string {
  const rest = names.length - most;
  return `${names.slice(0, most).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/** The one of `names` that was meant by a word that is none of them, but has almost the same letters; null when there is none. */
export function nearest(word: string, names: readonly string[]): string | null {
  const distances = names.map((name) => editDistance(word, name));
  const least = Math.min(...distances);
  return least <= Math.ceil(word.length / 6) ? (names[distances.indexOf(least)] ?? null) : null;
}

/** Levenshtein's: how many letters are to be put in, left out or replaced. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, length) => length);
  for (const letter of from) {
    const next = [(row[0] ?? 0) + 1];
    for (const [at, other] of [...to].entries()) {
      const [replaced, leftOut, putIn] = [row[at] ?? 0, row[at + 1] ?? 0, next[at] ?? 0];
      next.push(letter === other ? replaced : 1 + Math.min(replaced, leftOut, putIn));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

/** For sorting, numbers in names as numbers: `server-p1-2` before `server-p1-10`. */
export function compareNames(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

/**
 * The lines of a table, each column as wide as its widest cell and two blanks apart; cells may hold colours.
 * @param alignment a letter for each column, `l` or `r`; the last one holds for all that follow
 */
export function textTable(rows: readonly (readonly string[])[], alignment = 'l', indent = ''): string[] {
  const widthOf = (cell = '') => stripVTControlCharacters(cell).length;
  const columns = Math.max(0, ...rows.map(({ length }) => length));
  const widths = Array.from({ length: columns }, (_, at) =>
    rows.reduce((width, row) => Math.max(width, widthOf(row[at])), 0),
  );
  return rows.map((row) => {
    const cells = row.map((cell, at) => {
      const padding = ' '.repeat((widths[at] ?? 0) - widthOf(cell));
      return (alignment[at] ?? alignment.at(-1)) === 'r' ? padding + cell : cell + padding;
    });
    return `${indent}${cells.join('  ')}`.trimEnd();
  });
}
