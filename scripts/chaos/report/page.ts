// pure · the HTML page around whatever a report shows.
// Must never load anything from anywhere: the policy in its head forbids it to the browser too.
import type { Verdict } from '../journal.ts';
import { escapeText, VERDICT_WORDS } from './format.ts';
import { PAGE_STYLE } from './page-style.ts';
import { CHART_STYLE, PALETTE } from './theme.ts';

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/** @param body HTML that is safe already */
export function page(title: string, verdict: Verdict, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${escapeText(`${VERDICT_WORDS[verdict]}: ${title}`)}</title>
<style>
${PALETTE}${CHART_STYLE}${PAGE_STYLE}</style>
</head>
<body>
<button id="theme" type="button" hidden>dark / light</button>
${body}
<script>
${SCRIPT}</script>
</body>
</html>
`;
}

// Without it everything can be read as well: it switches the theme, and shows one moment in all charts.
const SCRIPT = `
const root = document.documentElement;
const button = document.getElementById('theme');
button.hidden = false;
button.addEventListener('click', () => {
  const isDark = getComputedStyle(root).colorScheme === 'dark';
  root.dataset.theme = isDark ? 'light' : 'dark';
});
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
