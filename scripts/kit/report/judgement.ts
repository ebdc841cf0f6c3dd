// pure · a judgement as a person reads it: its badge, one sentence, and its findings as HTML and as text.
import { compareVerdicts, type Finding, type Judgement, type Verdict } from '../verdict.ts';
import { count, shortList, textTable } from '../words.ts';
import { escapeText, header, htmlDocument } from './html.ts';

const WORDS: Readonly<Record<Verdict, string>> = { pass: 'Pass', unknown: 'Unknown', fail: 'Fail' };
/** What goes before a verdict in a terminal. */
export const MARKS: Readonly<Record<Verdict, string>> = { pass: '✔', fail: '✖', unknown: '?' };
/** Drawn, not written: not every font has these signs. */
const ICONS: Readonly<Record<Verdict, string>> = {
  pass: 'M3.5 8.5l3 3l6-7',
  fail: 'M4 4l8 8m0-8l-8 8',
  unknown: 'M5.2 5.8a2.8 2.8 0 1 1 4.3 2.4c-1 .7-1.5 1.2-1.5 2.3M8 13v.4',
};
const MAX_NAMED = 3;
const MAX_DETAILS = 3;

/**
 * The page of a judged run, with its verdict in large letters at the top.
 * @param page.facts    short texts above the title
 * @param page.sentence what the verdict means, beside it
 * @param page.body     HTML that is safe already, a part each
 */
export function judgedPage(page: {
  facts: readonly string[];
  title: string;
  verdict: Verdict;
  sentence: string;
  body: readonly string[];
  style?: string;
}): string {
  const { facts, title, verdict, sentence, body, style = '' } = page;
  const badge = `<section class="verdict v-${verdict}"><div class="badge">${icon(verdict)}<span>${WORDS[verdict]}</span></div><p>${escapeText(sentence)}</p></section>`;
  const whole = [header(facts, title), badge, ...body].join('\n');
  return htmlDocument({ title: `${WORDS[verdict]}: ${title}`, style, body: whole });
}

function icon(verdict: Verdict): string {
  return `<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="${ICONS[verdict]}"/></svg>`;
}

/** `5 of 8 criteria held; failed: no request lost; unknown: detection of kill.` */
export function describeJudgement({ verdict, findings }: Judgement, cutShort: string | null): string {
  const names = (wanted: Verdict) =>
    findings.filter((each) => each.verdict === wanted).map((each) => each.criterion);
  const [passed, failed, unknown] = [names('pass'), names('fail'), names('unknown')];
  const parts = [
    ...(failed.length > 0 ? [`failed: ${shortList(failed, MAX_NAMED)}`] : []),
    ...(unknown.length > 0 ? [`unknown: ${shortList(unknown, MAX_NAMED)}`] : []),
    ...(cutShort !== null ? [`cut short: ${cutShort}`] : []),
  ];
  if (findings.length === 0) return `${['Nothing was judged', ...parts].join('; ')}.`;
  if (verdict === 'pass' && parts.length === 0) return `All ${findings.length} criteria held.`;
  const criteria = findings.length === 1 ? 'criterion' : 'criteria';
  return `${[`${passed.length} of ${findings.length} ${criteria} held`, ...parts].join('; ')}.`;
}

/** The findings as a table, the worst first. */
export function findingsTable(findings: readonly Finding[]): string {
  if (findings.length === 0) return '<p class="note">No criterion was judged.</p>';
  const rows = findings
    .toSorted((a, b) => compareVerdicts(a.verdict, b.verdict))
    .map(({ criterion, verdict, measured, limit, n, details }) => {
      const cells = `<td class="criterion">${escapeText(criterion)}</td><td>${escapeText(measured)}</td><td class="limit">${escapeText(limit)}</td><td class="number">${count(n)}</td>`;
      return verdictRow(verdict, cells, detailsRow(verdict, details));
    });
  return verdictTable(['Criterion', 'Measured', 'Passes when', 'n'], rows);
}

function detailsRow(verdict: Verdict, details: readonly string[]): string {
  if (details.length === 0) return '';
  const isOpen = verdict === 'pass' ? '' : ' open';
  const lines = details.map((detail) => `<li>${escapeText(detail)}</li>`).join('');
  const summary = details.length === 1 ? 'the worst case' : `the ${details.length} worst cases`;
  return `<tr class="more"><td></td><td colspan="4"><details${isOpen}><summary>${summary}</summary><ul>${lines}</ul></details></td></tr>`;
}

/** A table whose first column is the verdict. @param rows of `verdictRow` */
export function verdictTable(columns: readonly string[], rows: readonly string[]): string {
  const head = ['Verdict', ...columns].map((name) =>
    name === 'n' ? '<th class="number">n</th>' : `<th>${name}</th>`,
  );
  return `<table class="findings"><thead><tr>${head.join('')}</tr></thead>${rows.join('\n')}</table>`;
}

/** @param cells the other cells of the row; `more`: rows that belong to it */
export function verdictRow(verdict: Verdict, cells: string, more = ''): string {
  return `<tbody class="v-${verdict}"><tr><td class="word">${icon(verdict)}${WORDS[verdict]}</td>${cells}</tr>${more}</tbody>`;
}

/** The findings for a terminal, the bad ones last, where they are seen, with their worst cases. */
export function formatJudgement({ findings }: Judgement): string {
  const inOrder = findings.toSorted((a, b) => compareVerdicts(b.verdict, a.verdict));
  const lines = textTable(
    inOrder.map((each) => [
      `${MARKS[each.verdict]} ${each.verdict.padEnd(7)}`,
      each.criterion,
      each.measured,
    ]),
  );
  return inOrder
    .flatMap(({ verdict, limit, details }, at) => {
      if (verdict === 'pass') return [lines[at]];
      const cases = details.slice(0, MAX_DETAILS).map((detail) => `${' '.repeat(13)}${detail}`);
      return [`${lines[at]} (passes: ${limit})`, ...cases];
    })
    .join('\n');
}
