// pure · numbers and texts → what a person reads in the report.
// Must never let a foreign text into HTML unescaped, or print a number that isn't one.
import type { Verdict } from '../verdict.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const MISSING = '–';

/** Safe in HTML and SVG, in text and in quoted attributes; control characters, which XML forbids, are left out. */
export function escapeText(text: string): string {
  return withoutControls(text).replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}

function withoutControls(text: string): string {
  return [...text].filter((c) => c >= ' ' || c === '\n' || c === '\t').join('');
}

/** A count with its thousands set apart: `60,012`. */
export function count(value: number): string {
  if (!Number.isFinite(value)) return MISSING;
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Three significant digits at most, never an exponent: `0.42`, `3.71`, `12.4`, `1,204`. */
export function decimal(value: number): string {
  if (!Number.isFinite(value)) return MISSING;
  const size = Math.abs(value);
  if (size >= 100) return count(value);
  return value.toFixed(size >= 10 ? 1 : 2);
}

/** Seconds with two decimals from ms, without the unit: `12.04`. */
export function seconds(ms: number | null): string {
  return ms === null || !Number.isFinite(ms) ? MISSING : (ms / 1000).toFixed(2);
}

/** A span for people: `16 ms`, `1.75 s`. */
export function duration(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return MISSING;
  return Math.abs(ms) < 999.5 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** A share of the whole: `0.01 %`; of nothing it is a dash. */
export function percent(part: number, whole: number): string {
  if (!(whole > 0)) return MISSING;
  const value = (100 * part) / whole;
  if (value === 0) return '0 %';
  return `${value < 0.1 ? value.toPrecision(1) : value.toFixed(1)} %`;
}

/** A coordinate of an SVG: one decimal, no trailing zero. */
export function coordinate(value: number): string {
  return Number.isFinite(value) ? String(Math.round(value * 10) / 10) : '0';
}

/** A text that has to fit into a place: its beginning and an ellipsis. */
export function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** Names as people count them: `server-p1-2` before `server-p1-10`. */
export function compareNames(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

export const VERDICT_WORDS: Readonly<Record<Verdict, string>> = {
  pass: 'Pass',
  unknown: 'Unknown',
  fail: 'Fail',
};
