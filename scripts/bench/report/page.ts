// pure · the result → index.html.
import { escapeText } from '../../kit/report/format.ts';
import { htmlDocument } from '../../kit/report/html.ts';
import { PAGE_STYLE } from '../../kit/report/page-style.ts';
import { CHART_STYLE, PALETTE } from '../../kit/report/theme.ts';
import type { BenchResult } from '../result.ts';
import { chartsOf } from './charts.ts';
import { remarksOf, summaryOf } from './remarks.ts';
import { describeSize, formatTables } from './text.ts';

const OWN_STYLE = `
.glance{margin:0;padding-left:18px}
.wide{overflow-x:auto}.wide pre{white-space:pre;overflow-wrap:normal}
.ranges{max-width:100%;min-width:760px}figure{overflow-x:auto}
`;

/** The whole page. */
export function renderPage(result: BenchResult): string {
  const { startedAt, figures, command, machine, repetitions, seconds, size } = result;
  const times = `${repetitions} × ${seconds} s each, interleaved`;
  const facts = [
    ...Object.entries(machine).map(([name, value]) => `${name} ${value}`),
    ...[startedAt, times, describeSize(size)],
  ];
  const charts = chartsOf(figures).map(
    ({ title, note, drawing }) =>
      `<h2>${escapeText(title)}</h2><p class="note">${escapeText(note)}</p><figure>${drawing}</figure>`,
  );
  const body = [
    '<h1>policy-proxy beside its peers</h1>',
    `<p class="facts">${facts.map(escapeText).join('<i>·</i>')}</p>`,
    list('warnings', remarksOf(result)),
    '<h2>At a glance</h2>',
    list('glance', summaryOf(figures)),
    ...charts,
    '<h2>All figures</h2>',
    `<div class="wide"><pre>${escapeText(formatTables(figures).join('\n'))}</pre></div>`,
    `<h2>Again</h2><pre>${escapeText(command)}</pre>`,
  ];
  return htmlDocument({
    title: `Benchmark of ${startedAt.slice(0, 10)}: policy-proxy beside its peers`,
    style: `${PALETTE}${CHART_STYLE}${PAGE_STYLE}${OWN_STYLE}`,
    body: body.filter(Boolean).join('\n'),
  });
}

function list(className: string, lines: readonly string[]): string {
  if (lines.length === 0) return '';
  return `<ul class="${className}">${lines.map((line) => `<li>${escapeText(line)}</li>`).join('')}</ul>`;
}
