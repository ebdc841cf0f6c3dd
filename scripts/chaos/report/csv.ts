// pure · requests → requests.csv, for other tools: every request is a line, whatever the report leaves out.
import type { RequestRow } from '../journal.ts';

const HEAD =
  'due_ms,latency_ms,policy,outcome,detail,attempts,first_outcome,first_detail,first_sent_ms,first_end_ms,first_opened_ms';

/** CSV as in RFC 4180, but with plain line feeds; fields of the first attempt are empty when there was only one. */
export function formatRequestsCsv(requests: readonly RequestRow[]): string {
  const lines = requests.map(({ dueMs, latencyMs, policy, outcome, detail, attempts, first }) => {
    const own = [milli(dueMs), milli(latencyMs), field(policy), outcome, field(detail), attempts];
    if (first === null) return `${own.join(',')},,,,,`;
    const { sentMs, endMs, openedMs } = first;
    return [...own, first.outcome, field(first.detail), milli(sentMs), milli(endMs), milli(openedMs)].join(
      ',',
    );
  });
  return `${[HEAD, ...lines].join('\n')}\n`;
}

// A microsecond is finer than anything that was measured.
function milli(ms: number | null): string {
  return ms !== null && Number.isFinite(ms) ? String(Math.round(ms * 1000) / 1000) : '';
}

function field(text: string): string {
  // A spreadsheet would take these for formulas.
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
