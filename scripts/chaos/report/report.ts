// pure · a recording and its judgement → one HTML file that needs nothing else, and its plots as SVG files.
// Must never judge, read a file, ask the clock, or let a foreign text in unescaped.

import { timeAxis } from '../../kit/report/frame.ts';
import { escapeText } from '../../kit/report/html.ts';
import { page } from '../../kit/report/page.ts';
import { findingsTable, keyFigures, verdictBadge, warnings } from '../../kit/report/verdict.ts';
import { count, seconds } from '../../kit/words.ts';
import type { Judgement, Recording } from '../journal.ts';
import { faultLanes } from './fault-lanes.ts';
import { latencyChart, ratesChart } from './rates.ts';
import { latencyScatter } from './scatter.ts';
import { serverLaneChart } from './server-lanes.ts';
import { shareChart } from './share.ts';
import { standalone } from './standalone.ts';
import { stripChart } from './strips.ts';
import { faultsTable, setupTable } from './tables.ts';
import { troubleChart } from './trouble.ts';

export { formatRequestsCsv } from './csv.ts';
export { renderSummary } from './summary.ts';

export type ReportExtras = {
  /** What ran, by name: `{ "node": "24.1.0" }`. */
  versions: Record<string, string>;
  /** The command that runs it again. */
  replay: string;
};

type Chart = { file: string; title: string; note: string; svg: string };

/**
 * The report of one run.
 * @param title one line, for example `kill: a server dies`
 * @returns the page, and each plot under its file name; they follow the reader's theme and load nothing
 */
export function renderReport(
  title: string,
  recording: Recording,
  judgement: Judgement,
  extras: ReportExtras,
): { html: string; svgs: Record<string, string> } {
  const [overTime, others] = [timeCharts(recording), otherCharts(recording)];
  const { plan, startedAt, endedMs } = recording;
  const facts = [
    `scenario ${plan.scenario}`,
    `seed ${plan.seed}`,
    `${startedAt.replace('T', ' ').slice(0, 19)} UTC`,
    `${seconds(endedMs)} s`,
    `${count(plan.rate)} requests/s`,
    `${plan.policies.length} × ${plan.serversPerPolicy} servers`,
  ];
  const body = [
    `<header><p class="facts">${facts.map(escapeText).join('<i>·</i>')}</p><h1>${escapeText(title)}</h1></header>`,
    verdictBadge(judgement, recording),
    warnings(recording),
    keyFigures(recording),
    section('Verdicts', findingsTable(judgement)),
    section('Over time', `<p class="note">${TIME_NOTE}</p>${overTime.map(figure).join('\n')}`),
    section('Who answered, and how fast the proxy noticed', others.map(figure).join('\n')),
    section('Faults', faultsTable(recording)),
    section('Run it again', `<pre>${escapeText(extras.replay)}</pre>`),
    section('What ran', `<div class="columns">${setupTable(recording, extras.versions)}</div>`),
  ];
  const svgs = Object.fromEntries([...overTime, ...others].map(({ file, svg }) => [file, standalone(svg)]));
  return { html: page(title, judgement.verdict, body.join('\n')), svgs };
}

const TIME_NOTE =
  'All charts share one axis: seconds after the load has started. Shaded: at least one fault lasts, from inject to heal. Upright lines part the phases.';

function timeCharts(recording: Recording): Chart[] {
  const axis = timeAxis(recording);
  const scatter = latencyScatter(recording, axis);
  const n = count(recording.requests.length);
  return [
    {
      file: 'latency.svg',
      title: `Latency of each request, n = ${n}`,
      note: `At its intended start, logarithmic; ${scatter.note}`,
      svg: scatter.svg,
    },
    {
      file: 'faults.svg',
      title: `Faults, n = ${recording.faults.length}`,
      note: 'What was done to whom.',
      svg: faultLanes(recording, axis),
    },
    {
      file: 'servers.svg',
      title: 'Servers in the eyes of the proxy',
      note: 'The higher the bar, the more the server is in rotation; hatched while the fault lasted.',
      svg: serverLaneChart(recording, axis),
    },
    {
      file: 'trouble.svg',
      title: 'Not ok at once, per second',
      note: 'Each row has its own scale; one request is enough to be seen.',
      svg: troubleChart(recording, axis),
    },
    {
      file: 'rates.svg',
      title: 'All requests, per second',
      note: 'By outcome, stacked.',
      svg: ratesChart(recording, axis),
    },
    {
      file: 'percentiles.svg',
      title: 'Latency percentiles, per second',
      note: 'Of right answers, logarithmic.',
      svg: latencyChart(recording, axis),
    },
  ];
}

function otherCharts(recording: Recording): Chart[] {
  return [
    {
      file: 'timings.svg',
      title: 'Detection and readmission',
      note: 'One point per hit, logarithmic; dashed: what the design allows. “none”: hits without such an event.',
      svg: stripChart(recording),
    },
    {
      file: 'share.svg',
      title: 'Share of each server',
      note: 'Answers within its policy; the tick marks equal shares.',
      svg: shareChart(recording),
    },
  ];
}

function figure({ title, note, svg }: Chart): string {
  return `<figure><figcaption><h3>${escapeText(title)}</h3><span class="note">${escapeText(note)}</span></figcaption>${svg}</figure>`;
}

function section(title: string, content: string): string {
  return `<section class="${title.toLowerCase().replaceAll(/\W+/g, '-')}"><h2>${title}</h2>${content}</section>`;
}
