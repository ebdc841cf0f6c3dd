// pure · the look of every report: colours (Okabe-Ito hues, dark enough for text) for light, dark and paper.

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

// By the reader's preference, by the page's switch (`data-theme`), and always light on paper.
const PALETTE = `:root{${LIGHT}}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){${DARK}}}
:root[data-theme=dark]{${DARK}}
@media print{:root:not(#screen){${LIGHT}}}
`;

const CHARTS = `
.chart{display:block;width:100%;height:auto;font:12.5px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
.chart text{fill:var(--ink)}
.chart .tick,.chart .plot text,.chart .note,.chart .phase-name{fill:var(--ink-2);font-size:12px}
.tick{text-anchor:middle}.chart .end{text-anchor:end}
.strong,.chart .phase-name{font-weight:600}.chart .dim{fill:var(--ink-2)}.dim{opacity:.75}
.band{fill:var(--band)}
.grid,.base,.rule{stroke:var(--grid);fill:none;shape-rendering:crispEdges}.base{stroke:var(--ink-2)}.rule{stroke:var(--rule)}
.phase{stroke:var(--ink-2);stroke-dasharray:2 3;fill:none}
.cross{stroke:var(--ink);opacity:.55;pointer-events:none}
.time{cursor:crosshair}
`;

const PAGE = `
*{box-sizing:border-box}
body{margin:0 auto;max-width:1320px;padding:26px 32px 60px;background:var(--paper);color:var(--ink);
font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
h1{font-size:25px;line-height:1.2;margin:2px 0 16px;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:17px;margin:38px 0 10px;padding-top:12px;border-top:2px solid var(--ink)}
h3{font-size:14px;margin:0;white-space:nowrap}
a{color:var(--link)}
.note{color:var(--ink-2);font-size:13px}p.note{margin:0 0 12px}section+p.note{margin-top:14px}
.bad{color:var(--fail)}
.facts{margin:0;padding-right:90px;color:var(--ink-2);font-size:13px}.facts i{margin:0 7px;opacity:.6}
#theme{position:absolute;top:22px;right:max(32px,calc(50% - 628px));font:inherit;font-size:12px;color:var(--ink-2);
background:none;border:1px solid var(--rule);border-radius:4px;padding:3px 9px;cursor:pointer}
.icon{width:1em;height:1em;flex:none}.icon path{fill:none;stroke:currentColor;stroke-width:2.2;stroke-linecap:round;stroke-linejoin:round}
.v-pass{--v:var(--pass)}.v-unknown{--v:var(--unknown)}.v-fail{--v:var(--fail)}
.verdict{display:flex;align-items:stretch;border:2px solid var(--v);border-radius:5px;overflow:hidden}
.verdict .badge{display:flex;align-items:center;gap:10px;padding:12px 24px 12px 20px;background:var(--v);color:var(--paper);
font-size:27px;font-weight:700;line-height:1}
.verdict p{margin:0;padding:12px 20px;align-self:center;font-size:16px;overflow-wrap:anywhere}
.verdict+section{margin-top:22px}
.warnings{margin:12px 0 0;padding:9px 14px 9px 32px;border-left:5px solid var(--unknown);background:var(--panel)}
table{border-collapse:collapse;width:100%}
th{font-size:12.5px;font-weight:600;color:var(--ink-2);text-align:left;vertical-align:bottom}
th,td{padding:5px 14px 5px 0;vertical-align:top;overflow-wrap:anywhere}
th:last-child,td:last-child{padding-right:4px}
thead th{border-bottom:1px solid var(--ink-2)}
tbody tr:not(.more) td{border-top:1px solid var(--rule)}thead+tbody tr:first-child td{border-top:0}
.number{text-align:right;white-space:nowrap}
.findings .word{white-space:nowrap;font-weight:600;color:var(--v);width:96px}.findings .word .icon{margin-right:7px;vertical-align:-2px}
.findings .criterion{font-weight:600;min-width:170px}.findings .limit{color:var(--ink-2)}
.findings .v-fail td:first-child,.findings .v-unknown td:first-child{border-left:4px solid var(--v);padding-left:10px}
.findings .v-pass td:first-child{padding-left:12px}.findings th:first-child{padding-left:12px}
.findings .v-fail,.findings .v-unknown{background:var(--panel)}
.more td{padding-top:0}
summary{cursor:pointer;color:var(--ink-2);font-size:13px}details ul{margin:3px 0 6px;padding-left:18px;font-size:13px}
figure{margin:0 0 24px}
figcaption{display:flex;flex-wrap:wrap;align-items:baseline;column-gap:14px;margin-bottom:5px}
pre{margin:0;padding:11px 14px;background:var(--panel);border:1px solid var(--rule);border-radius:4px;overflow:auto;
font:13px ui-monospace,"Cascadia Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre-wrap;overflow-wrap:anywhere}
@media screen and (max-width:820px){body{padding:20px 16px}h1{padding-right:84px}}
@page{size:A4 landscape;margin:11mm 12mm}
@media print{
body{max-width:none;padding:0;font-size:11px;-webkit-print-color-adjust:exact;print-color-adjust:exact}
#theme{display:none}h1{font-size:20px}h2{font-size:14px;margin-top:18px;break-after:avoid}h3{font-size:12px}
.note,.facts,summary,details ul{font-size:10px}
figure,.findings tbody,.verdict,pre{break-inside:avoid}figcaption{break-after:avoid}thead{display:table-header-group}
figure{margin-bottom:14px}
details::details-content{content-visibility:visible;height:auto}
}
`;

/** The style sheet of a page with charts. */
export const STYLE = `${PALETTE}${CHARTS}${PAGE}`;
