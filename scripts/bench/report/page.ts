// pure · the result → index.html.
import { escapeText, header, htmlDocument, section } from '../../kit/report/html.ts';
import type { BenchResult } from '../result.ts';
import { chartsOf } from './charts.ts';
import { certaintyOf, remarksOf } from './remarks.ts';
import { formatTables, methodOf } from './text.ts';

const OWN_STYLE = 'pre.wide{white-space:pre;overflow-wrap:normal}';

/** The whole page. */
export function renderPage(result: BenchResult): string {
  const { startedAt, figures, command, machine } = result;
  const facts = Object.entries(machine).map((each) => each.join(' '));
  const remarks = [...certaintyOf(figures), ...remarksOf(result)];
  const tables = formatTables(figures).join('\n');
  const body = [
    header([...facts, startedAt, methodOf(result)], 'policy-proxy beside its peers'),
    remarks.length === 0 ? '' : `<ul class="warnings">${remarks.map(itemOf).join('')}</ul>`,
    section('Charts', chartsOf(figures).join('\n')),
    section('All figures', `<pre class="wide">${escapeText(tables)}</pre>`),
    section('Again', `<pre>${escapeText(command)}</pre>`),
  ];
  const title = `Benchmark of ${startedAt.slice(0, 10)}: policy-proxy beside its peers`;
  return htmlDocument({ title, style: OWN_STYLE, body: body.join('\n') });
}

function itemOf(line: string): string {
  return `<li>${escapeText(line)}</li>`;
}
