// pure · a recording and its judgement → one HTML page that needs nothing else; and the overview of several runs.
import { type TimeAxis, timeAxis } from '../../kit/report/charts.ts';
import { escapeText, section } from '../../kit/report/html.ts';
import {
  describeJudgement,
  findingsTable,
  judgedPage,
  verdictRow,
  verdictTable,
} from '../../kit/report/judgement.ts';
import { compareVerdicts, type Verdict } from '../../kit/verdict.ts';
import { count, decimal, plural, seconds } from '../../kit/words.ts';
import { type FaultRecord, type Recording, type ReportContents, recordingsByProxy } from '../journal.ts';
import { KINDS, keyFigures } from './figures.ts';
import { faultEndMs, faultLanes, serverLaneChart } from './lanes.ts';
import { percentilesChart, ratesChart, secondsOf, troubleChart } from './rates.ts';
import { latencyScatter } from './scatter.ts';
import { shareTable } from './share.ts';
import { timingsTables } from './timings.ts';

/** The report of one run. */
export function renderReport({ title, recording, judgement, versions, replay }: ReportContents): string {
  const { plan, startedAt, endedMs, cutShort } = recording;
  const { verdict, findings } = judgement;
  const facts = [
    `scenario ${plan.scenario}`,
    `seed ${plan.seed}`,
    `${startedAt.replace('T', ' ').slice(0, 19)} UTC`,
    `${seconds(endedMs)} s`,
    `${count(plan.rate)} requests/s`,
    `${plan.policies.length} × ${plan.serversPerPolicy} servers`,
  ];
  const body = [
    warnings(recording),
    keyFigures(recording),
    section('Verdicts', findingsTable(findings)),
    section('Over time', `<p class="note">${TIME_NOTE}</p>${chartsOverTime(recording)}`),
    section('Who answered, and how fast the proxy noticed', timingsTables(recording) + shareTable(recording)),
    section('Faults', faultsTable(recording)),
    section('Run it again', `<pre>${escapeText(replay)}</pre>`),
    section('What ran', `<div class="columns">${setup(recording)}${pairs(versions)}</div>`),
  ];
  const sentence = describeJudgement(judgement, cutShort);
  return judgedPage({ facts, title, verdict, sentence, body, style: STYLE });
}

/** What makes everything else doubtful; empty when nothing does. */
function warnings({ faults, cutShort, leftovers, strayAnswers }: Recording): string {
  const unproven = faults.filter(({ isProven }) => !isProven);
  const lines = [
    ...(cutShort === null ? [] : [`The run was cut short: ${cutShort}`]),
    ...leftovers.map((leftover) => `Left over after healing: ${leftover}`),
    ...unproven.map(({ id, kind, proof }) => `Fault ${id} (${kind}) is not proven: ${proof}`),
    ...(strayAnswers > 0 ? [`${plural(strayAnswers, 'answer')} came that no request waited for`] : []),
  ];
  if (lines.length === 0) return '';
  return `<ul class="warnings">${lines.map((line) => `<li>${escapeText(line)}</li>`).join('')}</ul>`;
}

const TIME_NOTE =
  'All charts share one axis: seconds after the load has started. Shaded: at least one fault lasts, from inject to heal. Upright lines part the phases.';

/** The axis to the end, with the phases that had begun by then. */
function axisOf({ endedMs, phases, faults }: Recording): TimeAxis {
  const lastMs = Math.max(endedMs, ...phases.map(({ fromMs }) => fromMs));
  const endMs = Number.isFinite(lastMs) && lastMs > 0 ? lastMs : 1000;
  const bands = faults.map((fault) => ({ fromMs: fault.injectMs, toMs: faultEndMs(fault, endMs) }));
  const seen = phases.filter(({ fromMs, toMs }) => fromMs < endedMs && toMs > fromMs);
  return timeAxis(
    endMs,
    bands,
    seen.map((phase) => ({ ...phase, toMs: Math.min(phase.toMs, endedMs) })),
  );
}

function chartsOverTime(recording: Recording): string {
  const axis = axisOf(recording);
  const all = secondsOf(recording);
  return [
    latencyScatter(recording, axis),
    faultLanes(recording, axis),
    ...recordingsByProxy(recording).map((view) => serverLaneChart(view, axis)),
    troubleChart(recording, all, axis),
    ratesChart(all, axis),
    percentilesChart(all, axis),
  ].join('\n');
}

function faultsTable({ faults }: Recording): string {
  if (faults.length === 0) return '<p class="note">No fault was injected.</p>';
  const number = (name: string) => `<th class="number">${name}</th>`;
  const times = ['inject, s', 'heal, s', 'lasted, s'].map(number).join('');
  const head = `${number('#')}<th>Fault</th><th>Target</th>${times}<th>Proof</th>${number('conntrack')}`;
  return `<table class="faults"><thead><tr>${head}</tr></thead><tbody>${faults.map(faultRow).join('\n')}</tbody></table>`;
}

function faultRow(fault: FaultRecord): string {
  const { id, kind, targets, params, injectMs, healedMs, isProven, proof, conntrack } = fault;
  const numbers = Object.entries(params).map(([name, value]) => `${name} ${value}`);
  const note = numbers.length > 0 ? `<br><span class="note">${escapeText(numbers.join(', '))}</span>` : '';
  const number = (text: string | number) => `<td class="number">${text}</td>`;
  const cells = [
    number(id),
    `<td><b>${escapeText(kind)}</b>${note}</td>`,
    `<td>${escapeText(targets.join(', '))}</td>`,
    number(seconds(injectMs)),
    number(healedMs === null ? 'never' : seconds(healedMs)),
    number(seconds(healedMs === null ? null : healedMs - injectMs)),
    `<td>${isProven ? '' : '<b class="bad">not proven: </b>'}${escapeText(proof)}</td>`,
    number(conntrack === null ? '–' : count(conntrack)),
  ];
  return `<tr>${cells.join('')}</tr>`;
}

function setup({ plan, phases, startedAt, startLagP99Ms }: Recording): string {
  const lengths = phases.map(({ name, fromMs, toMs }) => `${name} ${seconds(toMs - fromMs)} s`);
  const settings = Object.entries(plan.settings).map(([name, value]) => `${name}=${value}`);
  return pairs({
    Started: startedAt,
    Phases: lengths.join(', ') || 'none',
    Load: `${count(plan.rate)} requests a second, own delay p99 ${decimal(startLagP99Ms)} ms`,
    'Clients retry for': plan.retryForMs > 0 ? `${plan.retryForMs} ms` : 'not at all',
    Cluster: `policies ${plan.policies.join(', ')}; ${plan.serversPerPolicy} servers each`,
    Settings: settings.join(', ') || 'as they are by default',
  });
}

function pairs(rows: Readonly<Record<string, string>>): string {
  const lines = Object.entries(rows).map(
    ([name, value]) => `<tr><th>${escapeText(name)}</th><td>${escapeText(value)}</td></tr>`,
  );
  return `<table class="pairs"><tbody>${lines.join('')}</tbody></table>`;
}

/** One of several runs: `measured` in words, `folder` relative to the overview. */
export type SummaryRow = {
  scenario: string;
  title: string;
  verdict: Verdict;
  measured: string;
  folder: string;
};

/** An overview with a row per run, the worst first; the worst verdict is that of all, of no run it is unknown. */
export function renderSummary(rows: readonly SummaryRow[]): string {
  const sorted = rows.toSorted((a, b) => compareVerdicts(a.verdict, b.verdict));
  const verdict = sorted[0]?.verdict ?? 'unknown';
  const counts = [...Map.groupBy(sorted, (row) => row.verdict)].map(
    ([each, { length }]) => `${length} ${each}`,
  );
  const title = `Chaos: ${plural(rows.length, 'scenario')}`;
  const lines = sorted.map(({ scenario, title: about, verdict: own, measured, folder }) => {
    const link = `${folder.split('/').map(encodeURIComponent).join('/')}/report.html`;
    const name = `<a href="${escapeText(link)}">${escapeText(scenario)}</a>`;
    const cells = `<td class="criterion">${name}</td><td>${escapeText(about)}</td><td>${escapeText(measured)}</td>`;
    return verdictRow(own, cells);
  });
  const table = verdictTable(['Scenario', 'What happens', 'Measured'], lines);
  const sentence = counts.join(', ') || 'No scenario was run.';
  return judgedPage({ facts: [], title, verdict, sentence, body: [`<section>${table}</section>`] });
}

const FILLED = ['error', 'wrong'];
const KIND_RULES = KINDS.map((kind) => {
  const fill = FILLED.includes(kind) ? `var(--k-${kind})` : 'none';
  return `.symbol.k-${kind}{stroke:var(--k-${kind});fill:${fill}}.fill-k-${kind}{fill:var(--k-${kind})}`;
}).join('\n');

const STYLE = `
.figures{display:grid;grid-template-columns:repeat(5,1fr);margin:18px 0 0;border-top:1px solid var(--rule);border-left:1px solid var(--rule)}
.figures div{padding:9px 13px 10px;border-right:1px solid var(--rule);border-bottom:1px solid var(--rule)}
.figures dt{color:var(--ink-2);font-size:12.5px}.figures dd{margin:0}
.figures .value{font-size:23px;font-weight:600;line-height:1.3;white-space:nowrap}
.figures .value i{font-style:normal;font-weight:400;color:var(--ink-2);margin:0 6px;font-size:17px}.figures .value small{font-size:13px;font-weight:400;margin-left:4px}
.figures .aside{color:var(--ink-2);font-size:12px}
.figures .bad .value,.figures .bad dt{color:var(--fail)}
.faults td,.pairs th,.pairs td{font-size:13px}.faults .number{padding-left:10px}
.pairs th{width:150px;font-weight:400;vertical-align:top;border-top:1px solid var(--rule)}.pairs tr:first-child>*{border-top:0}
.columns{display:grid;grid-template-columns:3fr 2fr;gap:0 48px;align-items:start}
.chart .id{font:10.5px ui-monospace,"Cascadia Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:var(--ink-2)}
.chart .bad{fill:var(--fail);font-weight:600}
.grid.minor{stroke-dasharray:1 3}
.k-ok path{stroke:var(--k-ok);stroke-width:2;stroke-linecap:square;fill:none}.k-ok .d0{opacity:.5}.k-ok .d1{opacity:.75}
.symbol{stroke-width:1.3;stroke-linejoin:round}.symbol.k-lost{stroke-width:2.4}.symbol.k-ok{stroke-width:3}
${KIND_RULES}
.hover{fill:var(--ink);opacity:0}.hover:hover{opacity:.06}
.fault-bar{fill:var(--fault)}.fault-hit{fill:var(--hit)}
.s-ready,.s-trial{fill:var(--s-ready)}.s-trial{stroke:var(--s-suspect);stroke-width:1.5}
.s-suspect{fill:var(--s-suspect)}.s-evicted,.s-ejected{fill:var(--s-out)}
.s-joining,.s-leaving{fill:var(--s-between)}.s-gone{fill:var(--s-gone)}.s-unknown{fill:var(--grid)}
.hatch{stroke:var(--hatch);stroke-width:1.5}.hatch-dot{fill:var(--hatch)}
.broken{fill:url(#hatch-down);stroke:var(--hatch);stroke-width:.8;fill-opacity:.75}.broken.gray{fill:url(#hatch-gray)}
.fault-start{fill:var(--ink)}.eviction{fill:var(--s-out);stroke:var(--paper);stroke-width:.8}
.panels{display:grid;grid-template-columns:1fr 1fr;gap:0 40px;align-items:start}.timings th{font-weight:400}.timings th b{color:var(--ink);margin-right:8px}.timings th,.timings td:not(.strip){padding:6px 0 5px 12px;font-size:13px;vertical-align:middle}
.timings tr>:first-child:not(.strip){padding-left:0;width:14%}
.timings .strip{position:relative;width:46%;height:34px;padding:0}.strip *{position:absolute;top:0}.strip s{bottom:0;border-left:1px solid var(--grid)}.timings .axis td{border-color:transparent}
.strip b{top:2px;bottom:2px;padding-left:3px;border-left:1.4px dashed var(--fail);color:var(--fail);font-size:10.5px;font-weight:400;line-height:12px;white-space:nowrap}
.strip i{width:7px;height:7px;margin-left:-3.5px;border-radius:4px;background:var(--k-ok);border:.8px solid var(--l-p50)}.strip span{transform:translateX(-50%);top:4px;font-size:12px;color:var(--ink-2);white-space:nowrap}
.chart .band-name{fill:var(--hit);font-size:11px;font-weight:600}
.share th{color:var(--ink)}.share tbody tr td,.share thead th{border:0;padding:0;font-size:12.5px;line-height:21px;white-space:nowrap}.share tbody .first td{padding-top:8px}
.share td:first-child{width:17%}.share i{display:inline-block;position:relative;width:150px;height:12px;vertical-align:-1px;background:linear-gradient(90deg,var(--k-ok) var(--share),var(--grid) var(--share))}
.share i::after{content:'';position:absolute;left:var(--fair);top:-2px;bottom:-2px;border-left:1.5px solid var(--ink)}
.share span{display:inline-block;width:62px;text-align:right}.share span+span{color:var(--ink-2);opacity:.75}
@media screen and (max-width:820px){.figures{grid-template-columns:repeat(2,1fr)}.columns,.panels{grid-template-columns:1fr}}
@media print{.faults td,.pairs th,.pairs td,.timings th,.timings td:not(.strip),.share tbody tr td{font-size:10px}.strip b{font-size:8px}.share i{width:90px}.share span{width:44px}.faults tr,.figures{break-inside:avoid}}
`;
