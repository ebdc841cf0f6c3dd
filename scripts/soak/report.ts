// pure · a soak and its judgement → one HTML file that needs nothing else.
// Must never judge, ask the clock, or let a foreign text in unescaped.
import type { Judgement } from '../chaos/journal.ts';
import { VERDICT_WORDS } from '../kit/report/format.ts';
import { escapeText } from '../kit/report/html.ts';
import { page } from '../kit/report/page.ts';
import { findingsTable, verdictIcon } from '../kit/report/verdict.ts';
import { count, seconds } from '../kit/words.ts';
import { axisOf, type Curve, curvesChart, deedsChart } from './chart.ts';
import { lowsOf } from './growth.ts';
import type { Sample, Soak } from './journal.ts';
import { describeJudgement } from './words.ts';

const TITLE = 'Soak: load with constant churn';
const TIME_NOTE =
  'All charts share one axis: seconds after the churn has begun. Shaded: the half in which memory is judged.';

/** The page. `machine` says by name what it ran on; `command` runs it again. */
export function renderSoak(
  soak: Soak,
  judgement: Judgement,
  extras: { machine: Readonly<Record<string, string>>; command: string },
): string {
  const facts = [
    `seed ${soak.seed}`,
    `${soak.startedAt.replace('T', ' ').slice(0, 19)} UTC`,
    `${seconds(soak.churnMs)} s of churn`,
    `${count(soak.rate)} requests/s`,
    ...Object.entries(extras.machine).map(([name, value]) => `${name} ${value}`),
  ];
  const { verdict } = judgement;
  const body = [
    `<header><p class="facts">${facts.map(escapeText).join('<i>·</i>')}</p><h1>${TITLE}</h1></header>`,
    `<section class="verdict v-${verdict}"><div class="badge">${verdictIcon(verdict)}<span>${VERDICT_WORDS[verdict]}</span></div><p>${escapeText(describeJudgement(judgement))}</p></section>`,
    section('Verdicts', findingsTable(judgement)),
    section('Over time', `<p class="note">${TIME_NOTE}</p>${charts(soak)}`),
    section('Run it again', `<pre>${escapeText(extras.command)}</pre>`),
  ];
  return page(TITLE, verdict, body.join('\n'));
}

function section(title: string, content: string): string {
  return `<section><h2>${title}</h2>${content}</section>`;
}

function charts(soak: Soak): string {
  const axis = axisOf(soak);
  const of = (
    name: string,
    color: string,
    width: number,
    value: (sample: Sample) => number | null,
  ): Curve => ({
    name,
    color,
    width,
    points: soak.samples.map((sample) => [sample.atMs, value(sample)] as const),
  });
  const half = soak.churnMs / 2;
  const lows: Curve = {
    name: 'least of each window',
    color: 'l-p50',
    width: 3,
    points: lowsOf(soak.samples, half, soak.churnMs).map(({ fromMs, toMs, bytes }) => [
      (fromMs + toMs) / 2,
      bytes / 1e6,
    ]),
  };
  const drawn: [title: string, note: string, svg: string][] = [
    [
      'Memory of the proxy, MB',
      'Resident; the slope of the thick line is judged (Theil–Sen).',
      curvesChart(axis, 'resident', 'Resident memory in megabytes', [
        of('resident', 'l-p99', 1.4, ({ residentBytes }) => residentBytes / 1e6),
        lows,
      ]),
    ],
    [
      'Heap of the proxy, MB',
      'In use, what is garbage by now included.',
      curvesChart(axis, 'heap', 'Used heap in megabytes', [
        of('heap in use', 'l-p99', 1.4, ({ inside }) => (inside === null ? null : inside.heapBytes / 1e6)),
      ]),
    ],
    [
      'Open files of the proxy',
      'Those of clients and servers too.',
      curvesChart(axis, 'files', 'Open files', [
        of('all', 'l-p50', 1.4, ({ handles }) => handles.total),
        of('connections to its port', 'l-max', 1.2, ({ connections }) => connections),
      ]),
    ],
    [
      'Delay of its event loop, ms',
      'Of each second: how much later than due a timer fired.',
      curvesChart(axis, 'delay', 'Event-loop delay in milliseconds', [
        of('max', 'l-max', 1, ({ inside }) => inside?.delayMaxMs ?? null),
        of('p99', 'l-p50', 1.6, ({ inside }) => inside?.delayP99Ms ?? null),
      ]),
    ],
    [
      'Requests per sample of a second',
      'As they ended.',
      curvesChart(axis, 'rates', 'Requests per second', [
        of('ok', 'l-p99', 1.4, ({ counts }) => counts.ok),
        of('not ok', 'l-p50', 2, ({ counts }) => counts.error + counts.wrong + counts.lost),
      ]),
    ],
    [
      'Servers',
      'Those in the table and those in rotation.',
      curvesChart(axis, 'servers', 'Servers in the table', [
        of('in the table', 'l-max', 1.4, ({ servers }) => servers),
        of('in rotation', 'l-p50', 1.6, ({ ready }) => ready),
      ]),
    ],
    [
      `What was done, n = ${soak.deeds.length}`,
      'Each from its beginning to its end.',
      deedsChart(axis, soak),
    ],
  ];
  return drawn
    .map(
      ([title, note, svg]) =>
        `<figure><figcaption><h3>${title}</h3><span class="note">${note}</span></figcaption>${svg}</figure>`,
    )
    .join('\n');
}
