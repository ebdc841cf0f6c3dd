// pure · the page around whatever a chaos report shows.
// Must never need its script to be read: that shows one moment in all charts.
import type { Verdict } from '../verdict.ts';
import { VERDICT_WORDS } from './format.ts';
import { htmlDocument } from './html.ts';
import { PAGE_STYLE } from './page-style.ts';
import { CHART_STYLE, PALETTE } from './theme.ts';

/** @param body HTML that is safe already */
export function page(title: string, verdict: Verdict, body: string): string {
  const style = `${PALETTE}${CHART_STYLE}${PAGE_STYLE}`;
  return htmlDocument({ title: `${VERDICT_WORDS[verdict]}: ${title}`, style, body, script: SHOW_MOMENT });
}

const SHOW_MOMENT = `
const charts = [...document.querySelectorAll('svg.time')].map((svg) => {
  const line = document.createElementNS(svg.namespaceURI, 'path');
  const text = document.createElementNS(svg.namespaceURI, 'text');
  line.setAttribute('class', 'cross');
  text.setAttribute('class', 'tick');
  svg.append(line, text);
  return { svg, line, text, left: +svg.dataset.left, right: +svg.dataset.right, end: +svg.dataset.end, height: svg.viewBox.baseVal.height };
});
const show = (x) => {
  for (const { line, text, left, right, end, height } of charts) {
    const isShown = x >= left && x <= right;
    line.setAttribute('d', isShown ? 'M' + x + ' 0V' + height : '');
    text.textContent = isShown ? ((x - left) / (right - left) * end / 1000).toFixed(2) + ' s' : '';
    text.setAttribute('x', x > right - 60 ? x - 30 : x + 30);
    text.setAttribute('y', height - 2);
  }
};
for (const { svg } of charts) {
  svg.addEventListener('pointermove', (event) => {
    const box = svg.getBoundingClientRect();
    show((event.clientX - box.left) / box.width * svg.viewBox.baseVal.width);
  });
  svg.addEventListener('pointerleave', () => show(-1));
}
`;
