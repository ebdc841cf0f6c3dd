// pure · the result → index.html.
// Must never leave out a figure that the tables in the terminal have.
import { escapeText, htmlDocument } from '../../kit/report/html.ts';
import { TARGETS } from '../plan.ts';
import type { BenchResult } from '../result.ts';
import { chartsOf } from './charts.ts';
import { glanceOf, remarksOf } from './glance.ts';
import { legendOf } from './marks.ts';
import { LEGEND, type Table, tablesOf } from './table.ts';

const OWN_STYLE = `
.keys{margin:2px 0 6px;color:var(--ink-2);font-size:13px}.key{display:inline-flex;align-items:center;gap:5px;margin-right:18px}
.bench{width:auto;margin:4px 0 20px;font-variant-numeric:tabular-nums}.bench td,.bench th{padding:3px 0 3px 20px;white-space:nowrap;text-align:right}
.bench td:first-child,.bench th:first-child{padding-left:0;text-align:left}.bench .own td{font-weight:600}
.glance{margin:0;padding-left:18px}.wide{overflow-x:auto}.wide pre{white-space:pre;overflow-wrap:normal}
h3.cell{white-space:normal;margin-top:14px}
.ranges{max-width:100%;min-width:760px}figure{overflow-x:auto}
`;

/**
 * The whole page.
 * @param growth the growth's own tables as text, '' when it was not measured
 */
export function renderPage(result: BenchResult, growth: string): string {
  const body = [
    '<h1>policy-proxy beside its peers</h1>',
    machineFacts(result),
    remarks(result),
    glance(result),
    ...charts(result),
    ...tables(result),
    growthSection(growth),
    `<h2>Again</h2><pre>${escapeText(result.command)}</pre>`,
  ];
  return htmlDocument({
    title: `Benchmark of ${result.startedAt.slice(0, 10)}: policy-proxy beside its peers`,
    style: OWN_STYLE,
    body: body.filter(Boolean).join('\n'),
  });
}

function machineFacts({ machine, startedAt, repetitions, seconds }: BenchResult): string {
  const times = `${repetitions} × ${seconds} s each, interleaved`;
  const facts = [...Object.entries(machine).map(([name, value]) => `${name} ${value}`), startedAt, times];
  return `<p class="facts">${facts.map(escapeText).join('<i>·</i>')}</p>`;
}

function remarks(result: BenchResult): string {
  const lines = remarksOf(result);
  if (lines.length === 0) return '';
  return `<ul class="warnings">${lines.map((line) => `<li>${escapeText(line)}</li>`).join('')}</ul>`;
}

function glance({ figures }: BenchResult): string {
  const lines = glanceOf(figures);
  if (lines.length === 0) return '';
  return `<h2>At a glance</h2><ul class="glance">${lines.map((line) => `<li>${escapeText(line)}</li>`).join('')}</ul>`;
}

function charts({ figures }: BenchResult): string[] {
  return chartsOf(figures).map(({ title, note, targets, drawing }) => {
    const keys = legendOf(TARGETS.filter((target) => targets.has(target)));
    return `<h2>${escapeText(title)}</h2><p class="note">${escapeText(note)}</p>${keys}<figure>${drawing}</figure>`;
  });
}

function tables({ figures }: BenchResult): string[] {
  const all = tablesOf(figures);
  if (all.length === 0) return [];
  const legend = LEGEND.map(escapeText).join('<br>');
  return ['<h2>All figures</h2>', `<p class="note">${legend}</p>`, ...all.map(tableOf)];
}

function tableOf({ title, head, rows }: Table): string {
  const cells = (tag: string, row: readonly string[]) =>
    row.map((word) => `<${tag}>${escapeText(word)}</${tag}>`).join('');
  const lines = rows.map(
    (row) => `<tr${row[0] === 'policy-proxy' ? ' class="own"' : ''}>${cells('td', row)}</tr>`,
  );
  return `<section><h3 class="cell">${escapeText(title)}</h3><div class="wide"><table class="bench"><thead><tr>${cells('th', head)}</tr></thead><tbody>${lines.join('')}</tbody></table></div></section>`;
}

function growthSection(growth: string): string {
  if (growth === '') return '';
  return `<h2>Growth</h2><div class="wide"><pre>${escapeText(growth)}</pre></div>`;
}
