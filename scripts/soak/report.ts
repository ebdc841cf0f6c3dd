// pure · a soak and its judgement → one HTML page that needs nothing else.
import {
  bar,
  type Curve,
  curvesChart,
  label,
  type TimeAxis,
  timeAxis,
  timeChart,
} from '../kit/report/charts.ts';
import { escapeText, section } from '../kit/report/html.ts';
import { describeJudgement, findingsTable, judgedPage } from '../kit/report/judgement.ts';
import type { Judgement } from '../kit/verdict.ts';
import { count, seconds } from '../kit/words.ts';
import { ACTION_KINDS, describeAction } from './plan.ts';
import { lowsOf, type Sample, type Soak, totalOf } from './verdict.ts';

const TITLE = 'Soak: load with constant churn';
const TIME_NOTE =
  'All charts share one axis: seconds after the churn has begun. Shaded: the half in which memory is judged.';
const LANE = 18;

type Line = readonly [name: string, color: string, width: number, value: (sample: Sample) => number | null];
const CHARTS: readonly (readonly [title: string, note: string, ...lines: Line[]])[] = [
  [
    'Open files of the proxy',
    'Those of clients and servers too.',
    ['all', 'l-p50', 1.4, ({ handles }) => totalOf(handles)],
    ['connections to its port', 'l-max', 1.2, ({ connections }) => connections],
  ],
  [
    'Requests per sample of a second',
    'As they ended.',
    ['ok', 'l-p99', 1.4, ({ counts }) => counts.ok],
    ['not ok', 'l-p50', 2, ({ counts }) => counts.error + counts.wrong + counts.lost],
  ],
  [
    'Servers',
    'Those in the table and those in rotation.',
    ['in the table', 'l-max', 1.4, ({ servers }) => servers],
    ['in rotation', 'l-p50', 1.6, ({ ready }) => ready],
  ],
];

/** The page. `machine` says by name what it ran on; `command` runs it again. */
export function renderSoak(
  soak: Soak,
  judgement: Judgement,
  { machine, command }: { machine: Readonly<Record<string, string>>; command: string },
): string {
  const { verdict, findings } = judgement;
  const facts = [
    `seed ${soak.seed}`,
    `${soak.startedAt.replace('T', ' ').slice(0, 19)} UTC`,
    `${seconds(soak.churnMs)} s of churn`,
    `${count(soak.rate)} requests/s`,
    ...Object.entries(machine).map(([name, value]) => `${name} ${value}`),
  ];
  const body = [
    section('Verdicts', findingsTable(findings)),
    section('Over time', `<p class="note">${TIME_NOTE}</p>${charts(soak)}`),
    section('Run it again', `<pre>${escapeText(command)}</pre>`),
  ];
  const style = '.action{fill:var(--hit);fill-opacity:.65}';
  const sentence = describeJudgement(judgement, soak.cutShort);
  return judgedPage({ facts, title: TITLE, verdict, sentence, body, style });
}

function charts(soak: Soak): string {
  const { churnMs, endedMs, samples } = soak;
  const half = churnMs > 0 ? [{ fromMs: churnMs / 2, toMs: churnMs }] : [];
  const axis = timeAxis(Math.max(endedMs, 1_000), half);
  const curveOf = ([name, color, width, value]: Line): Curve => {
    return { name, color, width, points: samples.map((sample) => [sample.atMs, value(sample)]) };
  };
  const lows: Curve = {
    name: 'least of each window',
    color: 'l-p50',
    width: 3,
    points: lowsOf(soak).map(({ atMs, bytes }) => [atMs, bytes / 1e6]),
  };
  const resident = curveOf(['resident', 'l-p99', 1.4, ({ residentBytes }) => residentBytes / 1e6]);
  const chart = (title: string, note: string, curves: Curve[]) => {
    const shape = { height: 150, empty: 'Nothing was measured.', values: { scale: true } };
    return curvesChart(axis, { title, note, curves, ...shape });
  };
  return [
    chart('Memory of the proxy, MB', 'Resident; the slope of the thick line is judged (Theil–Sen).', [
      resident,
      lows,
    ]),
    ...CHARTS.map(([title, note, ...lines]) => chart(title, note, lines.map(curveOf))),
    actionsChart(axis, soak),
  ].join('\n');
}

/** A row for each kind of action, and in it each from its beginning to its end. */
function actionsChart(axis: TimeAxis, { actions }: Soak): string {
  return timeChart(axis, {
    title: `What was done, n = ${actions.length}`,
    note: 'Each from its beginning to its end.',
    height: ACTION_KINDS.length * LANE + 8,
    draw: (top) =>
      ACTION_KINDS.map((kind, row) => {
        const y = top + 4 + row * LANE;
        const done = actions.filter(({ action, isSkipped }) => action.kind === kind && !isSkipped);
        const bars = done.map(({ action, atMs, endedMs }) => {
          const title = `${describeAction(action)} at ${(atMs / 1000).toFixed(1)} s`;
          return bar('action', axis, [atMs, endedMs ?? axis.endMs], [y + 3, LANE - 6], { least: 2, title });
        });
        return label('name', 22, y + LANE / 2, `${kind} × ${done.length}`) + bars.join('');
      }).join('\n'),
  });
}
