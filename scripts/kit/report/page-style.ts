// pure · how the page around the charts looks: on a screen, and on paper.
// Must never load anything: no font, no picture.

export const PAGE_STYLE = `
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
.figures{display:grid;grid-template-columns:repeat(5,1fr);margin:18px 0 0;border-top:1px solid var(--rule);border-left:1px solid var(--rule)}
.figures div{padding:9px 13px 10px;border-right:1px solid var(--rule);border-bottom:1px solid var(--rule)}
.figures dt{color:var(--ink-2);font-size:12.5px}.figures dd{margin:0}
.figures .value{font-size:23px;font-weight:600;line-height:1.3;white-space:nowrap}
.figures .value i{font-style:normal;font-weight:400;color:var(--ink-2);margin:0 6px;font-size:17px}.figures .value small{font-size:13px;font-weight:400;margin-left:4px}
.figures .aside{color:var(--ink-2);font-size:12px}
.figures .bad .value,.figures .bad dt{color:var(--fail)}
table{border-collapse:collapse;width:100%}
th{font-size:12.5px;font-weight:600;color:var(--ink-2);text-align:left;vertical-align:bottom}
th,td{padding:5px 14px 5px 0;vertical-align:top;overflow-wrap:anywhere}
th:last-child,td:last-child{padding-right:4px}
thead th{border-bottom:1px solid var(--ink-2)}
tbody tr:not(.more) td,.pairs th{border-top:1px solid var(--rule)}thead+tbody tr:first-child td,.pairs tr:first-child>*{border-top:0}
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
.faults td{font-size:13px}.faults .number{padding-left:10px}
.pairs th{width:150px;font-weight:400;font-size:13px;vertical-align:top}.pairs td{font-size:13px}
.columns{display:grid;grid-template-columns:3fr 2fr;gap:0 48px;align-items:start}
pre{margin:0;padding:11px 14px;background:var(--panel);border:1px solid var(--rule);border-radius:4px;overflow:auto;
font:13px ui-monospace,"Cascadia Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre-wrap;overflow-wrap:anywhere}
.time{cursor:crosshair}
@media screen and (max-width:820px){.figures{grid-template-columns:repeat(2,1fr)}.columns{grid-template-columns:1fr}body{padding:20px 16px}h1{padding-right:84px}}
@page{size:A4 landscape;margin:11mm 12mm}
@media print{
body{max-width:none;padding:0;font-size:11px;-webkit-print-color-adjust:exact;print-color-adjust:exact}
#theme{display:none}h1{font-size:20px}h2{font-size:14px;margin-top:18px;break-after:avoid}h3{font-size:12px}
.note,.facts,summary,details ul,.faults td,.pairs th,.pairs td{font-size:10px}
figure,.findings tbody,.faults tr,.figures,.verdict,pre{break-inside:avoid}figcaption{break-after:avoid}thead{display:table-header-group}
figure{margin-bottom:14px}
details::details-content{content-visibility:visible;height:auto}
}
`;
