// pure · the colours, and how the charts use them. One drawing serves light, dark and paper: it names variables only.
// Must never tell two outcomes apart by hue alone; the hues are of the Okabe-Ito kind, made dark enough for text.

const LIGHT = `color-scheme:light;
--paper:#ffffff;--panel:#f6f7f9;--ink:#191c20;--ink-2:#555c66;--rule:#d5d9df;--grid:#e4e7eb;--band:#f8f0df;
--pass:#1a7237;--unknown:#855600;--fail:#b3161f;--link:#0b57a4;
--k-ok:#5b8cc0;--k-retried:#006d80;--k-error:#b35c00;--k-wrong:#8a2da8;--k-lost:#c1121f;--k-dropped:#6b7280;
--l-p50:#12406e;--l-p99:#3f7fbf;--l-max:#98a2ad;
--s-ready:#a9c3de;--s-suspect:#e0930f;--s-out:#c1121f;--s-between:#7b8794;--s-gone:#9aa3ad;
--fault:#ecd29c;--hit:#8a5a00;--hatch:#191c20;`;

const DARK = `color-scheme:dark;
--paper:#14171b;--panel:#1c2025;--ink:#e7e9ec;--ink-2:#a5adb7;--rule:#363c44;--grid:#282d34;--band:#2a2517;
--pass:#63c584;--unknown:#e3b04b;--fail:#ff8087;--link:#83b8f0;
--k-ok:#5689bd;--k-retried:#4fd3e3;--k-error:#f0a33a;--k-wrong:#d993ee;--k-lost:#ff6b6f;--k-dropped:#9aa3ae;
--l-p50:#d5e6f7;--l-p99:#6ea8e0;--l-max:#68727d;
--s-ready:#3f658c;--s-suspect:#e39a22;--s-out:#ff6b6f;--s-between:#8a95a1;--s-gone:#5c656f;
--fault:#5d4a1f;--hit:#e3b04b;--hatch:#e7e9ec;`;

/** The variables, by the reader's preference, by the page's switch (`data-theme`), and always light on paper. */
export const PALETTE = `:root{${LIGHT}}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){${DARK}}}
:root[data-theme=dark]{${DARK}}
@media print{:root:not(#screen){${LIGHT}}}
`;

const KINDS = ['ok', 'retried', 'error', 'wrong', 'lost', 'dropped'];
const FILLED = ['error', 'wrong'];
const LINES = ['l-p50', 'l-p99', 'l-max'];

const kindRules = KINDS.map((kind) => {
  const fill = FILLED.includes(kind) ? `var(--k-${kind})` : 'none';
  return `.symbol.k-${kind}{stroke:var(--k-${kind});fill:${fill}}.fill-k-${kind}{fill:var(--k-${kind})}`;
}).join('\n');

const lineRules = LINES.map((line) => `.stroke-${line}{stroke:var(--${line});fill:none}`).join('');

/** How the drawings look; also goes into each SVG file. */
export const CHART_STYLE = `
.chart{display:block;width:100%;height:auto;font:12.5px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
.chart text{fill:var(--ink)}
.chart .tick,.chart .plot text,.chart .note,.chart .phase-name{fill:var(--ink-2);font-size:12px}
.tick{text-anchor:middle}.chart .end{text-anchor:end}
.strong{font-weight:600}.chart .dim{fill:var(--ink-2)}.dim{opacity:.75}
.chart .id{font:10.5px ui-monospace,"Cascadia Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:var(--ink-2)}
.chart .bad{fill:var(--fail);font-weight:600}
.ground{fill:var(--paper)}
.band{fill:var(--band)}
.grid{stroke:var(--grid);fill:none;shape-rendering:crispEdges}.minor{stroke-dasharray:1 3}
.phase{stroke:var(--ink-2);stroke-dasharray:2 3;fill:none}
.chart .phase-name{font-weight:600}
.base{stroke:var(--ink-2);fill:none;shape-rendering:crispEdges}
.rule{stroke:var(--rule);fill:none;shape-rendering:crispEdges}
.k-ok path{stroke:var(--k-ok);stroke-width:2;stroke-linecap:square;fill:none}
.k-ok .d0{opacity:.5}.k-ok .d1{opacity:.75}
.symbol{stroke-width:1.3;stroke-linejoin:round}.symbol.k-lost{stroke-width:2.4}.symbol.k-ok{stroke-width:3}
${kindRules}
${lineRules}
.hover{fill:var(--ink);opacity:0}g:hover>.hover{opacity:.06}
.fault-bar{fill:var(--fault)}.fault-hit{fill:var(--hit)}
.s-ready,.s-trial{fill:var(--s-ready)}.s-trial{stroke:var(--s-suspect);stroke-width:1.5}
.s-suspect{fill:var(--s-suspect)}.s-evicted,.s-ejected{fill:var(--s-out)}
.s-joining,.s-leaving{fill:var(--s-between)}.s-gone{fill:var(--s-gone)}.s-unknown{fill:var(--grid)}
.hatch{stroke:var(--hatch);stroke-width:1.5}.hatch-dot{fill:var(--hatch)}
.broken{stroke:var(--hatch);stroke-width:.8;fill-opacity:.75}
.fault-start{fill:var(--ink)}.eviction{fill:var(--s-out);stroke:var(--paper);stroke-width:.8}
.hit-point{fill:var(--k-ok);fill-opacity:.65;stroke:var(--l-p50);stroke-width:.8}
.limit{stroke:var(--fail);stroke-width:1.4;stroke-dasharray:4 2;fill:none}.chart .limit-name{fill:var(--fail);font-size:10.5px}.chart .band-name{fill:var(--hit);font-size:11px;font-weight:600}
.share-ground{fill:var(--grid)}.share-bar{fill:var(--k-ok)}.fair{stroke:var(--ink);stroke-width:1.5}
.cross{stroke:var(--ink);opacity:.55;pointer-events:none}
`;
