// pure · the HTML document around every report: one page that stands on its own, light, dark and on paper.
import { STYLE } from './theme.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Safe in HTML and SVG, in text and in quoted attributes; control characters, which XML forbids, are left out. */
export function escapeText(text: string): string {
  const allowed = [...text].filter((c) => c >= ' ' || c === '\n' || c === '\t').join('');
  return allowed.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}

/** A heading and what stands under it; its class is the title in lower case. */
export function section(title: string, content: string): string {
  return `<section class="${title.toLowerCase().replaceAll(/\W+/g, '-')}"><h2>${title}</h2>${content}</section>`;
}

/** What a drawing or a table is called, and how to read it. */
export type Heading = { title: string; note: string };

/** @param content HTML or SVG */
export function figure({ title, note }: Heading, content: string): string {
  const caption = `<h3>${escapeText(title)}</h3><span class="note">${escapeText(note)}</span>`;
  return `<figure><figcaption>${caption}</figcaption>${content}</figure>`;
}

/** The head of a page: short facts, and its title. */
export function header(facts: readonly string[], title: string): string {
  const line = facts.map(escapeText).join('<i>·</i>');
  return `<header><p class="facts">${line}</p><h1>${escapeText(title)}</h1></header>`;
}

/**
 * The whole document, which loads nothing.
 * @param page.title plain text
 * @param page.style what its own parts look like, as CSS
 * @param page.body  HTML that is safe already
 */
export function htmlDocument({
  title,
  style = '',
  body,
}: {
  title: string;
  style?: string;
  body: string;
}): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${escapeText(title)}</title>
<style>
${STYLE}${style}</style>
</head>
<body>
<button id="theme" type="button" hidden>dark / light</button>
${body}
<script>${SCRIPT}</script>
</body>
</html>
`;
}

// Without it everything can be read as well, in the theme that the reader's system prefers: it switches between dark and
// light, and shows one moment in all charts over time.
const SCRIPT = `
const root = document.documentElement;
const button = document.getElementById('theme');
button.hidden = false;
button.addEventListener('click', () => {
  root.dataset.theme = getComputedStyle(root).colorScheme === 'dark' ? 'light' : 'dark';
});
const charts = [...document.querySelectorAll('svg.time')].map((svg) => {
  const [line, text] = ['path', 'text'].map((tag) => document.createElementNS(svg.namespaceURI, tag));
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
