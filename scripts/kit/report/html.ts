// pure · the HTML document around every report: one page that stands on its own, light, dark and on paper.

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

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

// Without it everything can be read as well, in the theme that the reader's system prefers.
const SWITCH_THEME = `
const root = document.documentElement;
const button = document.getElementById('theme');
button.hidden = false;
button.addEventListener('click', () => {
  const isDark = getComputedStyle(root).colorScheme === 'dark';
  root.dataset.theme = isDark ? 'light' : 'dark';
});
`;

/**
 * The whole document; a button in it switches between dark and light.
 * @param parts.title  plain text
 * @param parts.style  a style sheet
 * @param parts.body   HTML that is safe already
 * @param parts.script what the page does besides
 */
export function htmlDocument({
  title,
  style,
  body,
  script = '',
}: {
  title: string;
  style: string;
  body: string;
  script?: string;
}): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${escapeText(title)}</title>
<style>
${style}</style>
</head>
<body>
<button id="theme" type="button" hidden>dark / light</button>
${body}
<script>
${SWITCH_THEME}${script}</script>
</body>
</html>
`;
}
