// pure · what the drawings and badges of a report are written with.
import type { Verdict } from '../../chaos/journal.ts';

/** A coordinate of an SVG: one decimal, no trailing zero. */
export function coordinate(value: number): string {
  return Number.isFinite(value) ? String(Math.round(value * 10) / 10) : '0';
}

export const VERDICT_WORDS: Readonly<Record<Verdict, string>> = {
  pass: 'Pass',
  unknown: 'Unknown',
  fail: 'Fail',
};
