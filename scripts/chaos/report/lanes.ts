// pure · lanes over time: what each fault did to whom, and what each server was in the proxy's table meanwhile.
import {
  bar,
  CHART_WIDTH,
  LEFT,
  label,
  nothingHere,
  path,
  rect,
  type TimeAxis,
  timeChart,
} from '../../kit/report/charts.ts';
import { duration, seconds, shorten } from '../../kit/words.ts';
import { FAULT_FACTS } from '../faults/facts.ts';
import type { FaultRecord, Recording } from '../journal.ts';
import { type FaultHit, isEviction, Observations } from '../judge/observations.ts';
import { type LaneState, proxySpans, type ServerLane, type StateSpan, serverLanes } from './states.ts';

const FAULT_ROW = 20;
const TIGHT_ROW = 15;
const MANY_FAULTS = 30;
const SERVER_ROW = 27;
const POLICY_GAP = 7;
const BAR = 13;
const GUTTER_CHARACTERS = 13;

/** Its name, and how high it stands in a server's lane, so that colour is not all that differs: whole only in rotation. */
const STATES: Readonly<Record<LaneState, readonly [name: string, height: number]>> = {
  ready: ['in rotation', BAR],
  trial: ['on trial', BAR],
  standby: ['standing by', 7],
  suspect: ['suspect', BAR],
  evicted: ['evicted', 5],
  ejected: ['ejected', 5],
  joining: ['joining', 7],
  leaving: ['leaving', 7],
  gone: ['not in the table', 1],
  unknown: ['unknown', 1],
};
const PROXY_WORDS: Readonly<Partial<Record<LaneState, string>>> = {
  leaving: 'not ready: it starts or stops',
};
const LEGEND: readonly (readonly [LaneState, string])[] = [
  ['ready', 'in rotation'],
  ['suspect', 'suspect'],
  ['evicted', 'evicted, ejected'],
  ['joining', 'joining, leaving'],
  ['gone', 'not in the table'],
];

/** When a fault was over: healed, or the end of the recording while it lasted. */
export function faultEndMs({ healedMs, healMs, injectMs }: FaultRecord, endMs: number): number {
  return Math.max(healedMs ?? healMs ?? endMs, injectMs);
}

/** A row for each fault, from its injection to its healing, and each hit in it. */
export function faultLanes({ faults }: Recording, axis: TimeAxis): string {
  const row = faults.length > MANY_FAULTS ? TIGHT_ROW : FAULT_ROW;
  return timeChart(axis, {
    title: `Faults, n = ${faults.length}`,
    note: 'What was done to whom, from its injection to its healing.',
    height: Math.max(faults.length, 1) * row + 8,
    draw: (top) => {
      if (faults.length === 0) return nothingHere(top + 18, 'No fault was injected.');
      return faults.map((fault, index) => faultLane(fault, axis, top + 4 + index * row, row)).join('\n');
    },
    legend: {
      height: 22,
      draw: (top) =>
        [
          rect('fault-bar', LEFT, top + 2, 22, 12),
          label('note', LEFT + 28, top + 8, 'from inject to heal'),
          rect('fault-hit', LEFT + 160, top + 4, 22, 8),
          label('note', LEFT + 188, top + 8, 'one hit on one replica'),
        ].join(''),
    },
  });
}

function faultLane(fault: FaultRecord, axis: TimeAxis, top: number, row: number): string {
  const { id, kind, injectMs, healedMs, isProven, hits } = fault;
  const endMs = faultEndMs(fault, axis.endMs);
  const middle = top + row / 2;
  const targets = fault.targets.join(', ');
  const about = `${id} ${kind} ${targets}: ${seconds(injectMs)} s to ${seconds(endMs)} s${isProven ? '' : ', without proof'}`;
  const length = healedMs === null ? 'not healed' : duration(endMs - injectMs);
  const many = hits.length > fault.targets.length ? `, ${hits.length} hits` : '';
  const proof = isProven ? '' : ' · not proven';
  // Where there is no room behind the bar, before it.
  const isLate = axis.x(endMs) > CHART_WIDTH - 220;
  const [x, end] = isLate ? [axis.x(injectMs) - 6, ' end'] : [axis.x(endMs) + 6, ''];
  return [
    bar('fault-bar', axis, [injectMs, endMs], [top + 3, row - 6], { least: 2 }),
    ...hits.map((hit) =>
      bar('fault-hit', axis, [hit.fromMs, hit.healedMs ?? hit.healMs ?? endMs], [top + 5, row - 10], {
        least: 2,
      }),
    ),
    label('name dim end', 18, middle, String(id)),
    label('strong', 25, middle, kind),
    label('name', 108, middle, shorten(targets, GUTTER_CHARACTERS)),
    label(`${isProven ? 'note' : 'bad'}${end}`, x, middle, length + many + proof),
    rect('hover', 0, top, CHART_WIDTH, row, about),
  ].join('');
}

/** A lane for each server in the eyes of a proxy, and one for the proxy itself where it was hit or is one of several. */
export function serverLaneChart(recording: Recording, axis: TimeAxis): string {
  const seen = new Observations(recording);
  const { serverHits, proxyHits } = seen;
  const lanes = serverLanes(recording);
  const isOnly = recording.others.length === 0;
  const rows: string[] = [];
  let height = 0;
  if (!isOnly || proxyHits.length > 0) {
    rows.push(proxyLane(recording, seen.ownOf(proxyHits), axis, SERVER_ROW - 8));
    height += SERVER_ROW + POLICY_GAP;
  }
  lanes.forEach((lane, index) => {
    if (index > 0 && lanes[index - 1]?.policy !== lane.policy) height += POLICY_GAP;
    const own = serverHits.filter(({ hit }) => hit.serverId === lane.id);
    rows.push(serverLane(lane, own, axis, height + SERVER_ROW - 8));
    height += SERVER_ROW;
  });
  return timeChart(axis, {
    title: `Servers in the eyes of ${isOnly ? 'the proxy' : recording.proxy}`,
    note: `${isOnly ? '' : 'First the proxy itself. '}The higher the bar, the more the server is in rotation; hatched while the fault lasted.`,
    height: Math.max(height, SERVER_ROW) + 6,
    draw: (top) => {
      if (rows.length === 0) return nothingHere(top + 18, 'No server was seen.');
      return `${HATCHES}<g transform="translate(0 ${top + 3})">${rows.join('\n')}</g>`;
    },
    legend: { height: 24, draw: legend },
  });
}

const HATCHES = `<defs><pattern id="hatch-down" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="hatch" d="M0 0V5"/></pattern><pattern id="hatch-gray" width="5" height="5" patternUnits="userSpaceOnUse"><circle class="hatch-dot" cx="2.5" cy="2.5" r="1.1"/></pattern></defs>`;

function serverLane(lane: ServerLane, hits: readonly FaultHit[], axis: TimeAxis, base: number): string {
  const { id, name, policy, spans, events } = lane;
  const isNamed = name !== id;
  const about = `${name} (${id}), policy ${policy}`;
  return [
    label('strong', 0, base - 7, shorten(name, isNamed ? 14 : 26), about),
    isNamed ? label('id end', LEFT - 8, base - 7, shorten(id, 12), about) : '',
    ...spans.map((span) => stateBar(span, STATES[span.state][0], axis, base)),
    ...hits.map((hit) => brokenSpan(hit, axis, base)),
    ...events.filter(isEviction).map(({ atMs, type, why }) => {
      return path('eviction', `M${axis.x(atMs)} ${base + 1}l4 7h-8z`, `${seconds(atMs)} s: ${type}, ${why}`);
    }),
  ].join('');
}

function proxyLane(recording: Recording, hits: readonly FaultHit[], axis: TimeAxis, base: number): string {
  return [
    label('strong', 0, base - 7, shorten(recording.proxy, 26)),
    ...proxySpans(recording).map((span) => stateBar(span, PROXY_WORDS[span.state] ?? span.state, axis, base)),
    ...hits.map((hit) => brokenSpan(hit, axis, base)),
  ].join('');
}

function stateBar({ state, fromMs, toMs }: StateSpan, word: string, axis: TimeAxis, base: number): string {
  const [, height] = STATES[state];
  const title = `${word}, ${seconds(fromMs)} s to ${seconds(toMs)} s`;
  return bar(`s-${state}`, axis, [fromMs, toMs], [base - height, height], { title });
}

function brokenSpan({ fault, hit }: FaultHit, axis: TimeAxis, base: number): string {
  const title = `${seconds(hit.fromMs)} s: ${fault.kind} (fault ${fault.id})`;
  const span = [hit.fromMs, hit.healedMs ?? hit.healMs ?? axis.endMs] as const;
  const className = FAULT_FACTS[fault.kind].leaves === 'gray' ? 'broken gray' : 'broken';
  const start = path('fault-start', `M${axis.x(hit.fromMs)} ${base - BAR - 1}l-4 -7h8z`, title);
  return bar(className, axis, span, [base - BAR, BAR], { least: 2 }) + start;
}

function legend(top: number): string {
  const y = top + 10;
  const entries: (readonly [text: string, draw: (x: number) => string])[] = [
    ...LEGEND.map(([state, text]) => {
      const [, height] = STATES[state];
      return [text, (x: number) => rect(`s-${state}`, x, y + 6 - height, 19, height)] as const;
    }),
    ['dead or cut off', (x) => rect('broken', x, y - 7, 19, BAR)],
    ['faulty, running', (x) => rect('broken gray', x, y - 7, 19, BAR)],
    ['fault starts', (x) => path('fault-start', `M${x + 10} ${y + 4}l-4 -7h8z`)],
    ['taken out', (x) => path('eviction', `M${x + 10} ${y - 3}l4 7h-8z`)],
  ];
  let x = 0;
  return entries
    .map(([text, draw]) => {
      const at = x;
      x += 46 + text.length * 6.4;
      return draw(at) + label('note', at + 25, y, text);
    })
    .join('');
}
