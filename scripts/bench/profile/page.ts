// pure · the report of a profile: one HTML page that stands alone.
// Must never show a share without saying of what.

import { escapeText, htmlDocument } from '../../kit/report/html.ts';
import { percent } from '../../kit/words.ts';
import { CATEGORIES, categoryTimes, type Flame, type FunctionCost, functionCosts } from './flame.ts';
import { FLAME_STYLE } from './flame-style.ts';
import { CATEGORY_WORDS, drawFlame } from './flame-svg.ts';
import { PAGE_SCRIPT } from './page-script.ts';

const TABLE_ROWS = 40;

/**
 * @param title what was profiled, in a few words
 * @param facts single figures and versions, each a short text
 */
export function renderPage(title: string, facts: readonly string[], flame: Flame): string {
  const body = `<h1>${escapeText(title)}</h1>
<p class="facts">${facts.map(escapeText).join('<i>·</i>')}</p>
${legend(flame)}
<div class="tools"><input id="search" type="search" placeholder="find a function or file" aria-label="find a function or file">
<button id="reset" type="button">whole graph</button><span id="found"></span></div>
${drawFlame(flame)}
<p class="note">Callers above, callees below; the width is the time, not its order. Point at a function for its file and line,
click to zoom in. All shares are of the busy time, that of waiting is of the whole.
<code>proxy.cpuprofile</code> beside this page opens in Chrome's DevTools (Performance) and in speedscope.</p>
${table(flame)}`;
  return htmlDocument({ title, style: FLAME_STYLE, body, script: PAGE_SCRIPT });
}

function legend(flame: Flame): string {
  const times = categoryTimes(flame);
  const busyUs = flame.totalUs - flame.idleUs;
  const items = CATEGORIES.filter((category) => times[category] > 0).map((category) => {
    const share = percent(times[category], category === 'idle' ? flame.totalUs : busyUs);
    return `<li class="key c-${category}">${CATEGORY_WORDS[category]} ${share}</li>`;
  });
  return `<ul class="legend">${items.join('')}</ul>`;
}

function table(flame: Flame): string {
  const busyUs = flame.totalUs - flame.idleUs;
  const rows = functionCosts(flame)
    .slice(0, TABLE_ROWS)
    .map((cost) => row(cost, busyUs));
  return `<section><h2>By a function's own time</h2><table class="costs">
<thead><tr><th class="number">itself</th><th class="number">with what it calls</th><th>function</th><th>where</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></section>`;
}

function row({ name, place, category, selfUs, totalUs }: FunctionCost, busyUs: number): string {
  const where = place === '' ? CATEGORY_WORDS[category] : `<code>${escapeText(place)}</code>`;
  return `<tr><td class="number">${percent(selfUs, busyUs)}</td><td class="number">${percent(totalUs, busyUs)}</td><td><code>${escapeText(name)}</code></td><td>${where}</td></tr>`;
}
