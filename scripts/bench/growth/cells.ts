// pure · figures → the cells and lines of a text table.
// Must never print a number that isn't one: what is missing is a dash.
import { decimal } from '../../kit/words.ts';
import type { Spread } from '../statistics.ts';

export const MISSING = '–';

/** The same in another unit. */
export function scaled(spread: Spread | null, by: number): Spread | null {
  if (spread === null) return null;
  return { ...spread, median: spread.median / by, min: spread.min / by, max: spread.max / by };
}

/** `1.05 (0.95–1.16)`: the median, with the smallest and the largest. */
export function spread(of: Spread | null): string {
  return of === null ? MISSING : `${decimal(of.median)} (${decimal(of.min)}–${decimal(of.max)})`;
}

/** The median alone. */
export function median(of: Spread | null): string {
  return of === null ? MISSING : decimal(of.median);
}

/** The median of shares, as a percentage. */
export function percent(of: Spread | null): string {
  return of === null ? MISSING : `${decimal(of.median * 100)} %`;
}

/** Indented lines with columns as wide as their widest cell, all to the right; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `  ${row.map((cell, at) => cell.padStart(widths[at] ?? 0)).join('  ')}`);
}
