// pure · the overview of a run of all scenarios, which leads to the report of each.
// Must never put a failure below what passed.

import { VERDICT_WORDS } from '../../kit/report/format.ts';
import { escapeText } from '../../kit/report/html.ts';
import { page } from '../../kit/report/page.ts';
import { verdictIcon } from '../../kit/report/verdict.ts';
import type { Verdict } from '../journal.ts';

export type SummaryRow = {
  scenario: string;
  title: string;
  verdict: Verdict;
  /** The counts in words. */
  measured: string;
  /** Where its report lies, relative to the overview. */
  folder: string;
};
const SEVERITY: Readonly<Record<Verdict, number>> = { fail: 0, unknown: 1, pass: 2 };

/** An HTML page with a row per scenario; the worst verdict is the verdict of all, of none it is unknown. */
export function renderSummary(
  rows: readonly SummaryRow[],
  extras: { versions?: Record<string, string>; replay?: string } = {},
): string {
  const sorted = rows.toSorted((a, b) => SEVERITY[a.verdict] - SEVERITY[b.verdict]);
  const verdict = sorted[0]?.verdict ?? 'unknown';
  const number = (wanted: Verdict) => rows.filter((row) => row.verdict === wanted).length;
  const counts = (['fail', 'unknown', 'pass'] as const)
    .filter((each) => number(each) > 0)
    .map((each) => `${number(each)} ${VERDICT_WORDS[each].toLowerCase()}`)
    .join(', ');
  const versions = Object.entries(extras.versions ?? {}).map(([name, value]) => `${name} ${value}`);
  const title = `Chaos: ${rows.length} scenario${rows.length === 1 ? '' : 's'}`;
  const body = [
    `<header><h1>${title}</h1></header>`,
    `<section class="verdict v-${verdict}"><div class="badge">${verdictIcon(verdict)}<span>${VERDICT_WORDS[verdict]}</span></div><p>${counts || 'No scenario was run.'}</p></section>`,
    `<section><table class="findings"><thead><tr><th>Verdict</th><th>Scenario</th><th>What happens</th><th>Measured</th></tr></thead>${sorted.map(summaryRow).join('\n')}</table></section>`,
    extras.replay === undefined
      ? ''
      : `<section><h2>Run it again</h2><pre>${escapeText(extras.replay)}</pre></section>`,
    versions.length === 0 ? '' : `<p class="note">${escapeText(versions.join(' · '))}</p>`,
  ];
  return page(title, verdict, body.join('\n'));
}

function summaryRow({ scenario, title, verdict, measured, folder }: SummaryRow): string {
  const link = `${folder.split('/').map(encodeURIComponent).join('/')}/report.html`;
  return `<tbody class="v-${verdict}"><tr><td class="word">${verdictIcon(verdict)}${VERDICT_WORDS[verdict]}</td><td class="criterion"><a href="${escapeText(link)}">${escapeText(scenario)}</a></td><td>${escapeText(title)}</td><td>${escapeText(measured)}</td></tr></tbody>`;
}
