// pure · requests → requests.csv, for whoever wants to look with other tools.
// Must never leave a row out: what the report thins out stands here in full.
import type { RequestRow } from '../journal.ts';

const COLUMNS = [
  'due_ms',
  'latency_ms',
  'policy',
  'outcome',
  'detail',
  'attempts',
  'first_outcome',
  'first_detail',
  'first_sent_ms',
  'first_end_ms',
  'first_opened_ms',
];

/** CSV as in RFC 4180, but with plain line feeds; fields of the first attempt are empty when there was only one. */
export function formatRequestsCsv(requests: readonly RequestRow[]): string {
  const lines = requests.map(({ dueMs, latencyMs, policy, outcome, detail, attempts, first }) =>
    [
      milli(dueMs),
      milli(latencyMs),
      field(policy),
      outcome,
      field(detail),
      String(attempts),
      first?.outcome ?? '',
      field(first?.detail ?? ''),
      first === null ? '' : milli(first.sentMs),
      first === null ? '' : milli(first.endMs),
      milli(first?.openedMs ?? Number.NaN),
    ].join(','),
  );
  return `${[COLUMNS.join(','), ...lines].join('\n')}\n`;
}

// A microsecond is finer than anything that was measured.
function milli(ms: number): string {
  return Number.isFinite(ms) ? String(Math.round(ms * 1000) / 1000) : '';
}

function field(text: string): string {
  // A spreadsheet would take these for formulas.
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
