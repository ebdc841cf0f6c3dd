// pure · a lane for each server: what it was in the proxy's table, when it was hit, and when the proxy took it out.
// Must never show a state by colour alone: what is out of rotation is drawn lower, and broken time is hatched.

import { coordinate, escapeText, seconds, shorten } from '../../kit/report/format.ts';
import { LEFT, type TimeAxis, timeChart } from '../../kit/report/frame.ts';
import { nothingHere } from '../../kit/report/symbols.ts';
import type { FaultRecord, Hit, Recording } from '../journal.ts';
import { isEviction, Observations } from '../judge/observations.ts';
import type { FaultKind } from '../plan.ts';
import { type LaneState, type ServerLane, type StateSpan, serverLanes } from './states.ts';

const ROW = 27;
const POLICY_GAP = 7;
const BAR = 13;
// These leave the server running: it is wrong or slow, not gone.
const GRAY_KINDS: readonly FaultKind[] = ['slow', 'burn', 'lie', 'mute', 'garble'];
/** How high each state stands in its lane: all of it only in rotation. */
const HEIGHTS: Readonly<Record<LaneState, number>> = {
  ready: BAR,
  trial: BAR,
  joining: 7,
  suspect: BAR,
  leaving: 7,
  evicted: 5,
  ejected: 5,
  gone: 1,
  unknown: 1,
};
const STATE_WORDS: Readonly<Record<LaneState, string>> = {
  ready: 'in rotation',
  trial: 'on trial',
  joining: 'joining',
  suspect: 'suspect',
  leaving: 'leaving',
  evicted: 'evicted',
  ejected: 'ejected',
  gone: 'not listed',
  unknown: 'nothing known',
};

const LEGEND: readonly (readonly [LaneState, string])[] = [
  ['ready', 'in rotation'],
  ['suspect', 'suspect'],
  ['evicted', 'evicted, ejected'],
  ['joining', 'joining, leaving'],
  ['gone', 'not in the table'],
];

type Broken = { fault: FaultRecord; hit: Hit };

export function serverLaneChart(recording: Recording, axis: TimeAxis): string {
  const lanes = serverLanes(recording);
  const { proxyHits, serverHits } = new Observations(recording);
  const tops = topsOf(lanes, proxyHits.length > 0 ? ROW + POLICY_GAP : 0);
  const rows = lanes.map((lane, index) => {
    const hits = serverHits.filter(({ hit }) => hit.serverId === lane.id);
    return serverRow(lane, hits, axis, tops[index] ?? 0);
  });
  return timeChart(axis, {
    label: 'State of each server in the proxy over time, with faults and evictions',
    height: (tops.at(-1) ?? 0) + ROW + 6,
    draw: (top) => {
      if (lanes.length === 0 && proxyHits.length === 0) return nothingHere(top + 18, 'No server was seen.');
      const proxy = proxyHits.length > 0 ? proxyRow(proxyHits, axis) : '';
      return `${HATCHES}<g transform="translate(0 ${top + 3})">${proxy}${rows.join('\n')}</g>`;
    },
    legend: { height: 24, draw: legend },
  });
}

const HATCHES = `<defs><pattern id="hatch-down" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="hatch" d="M0 0V5"/></pattern><pattern id="hatch-gray" width="5" height="5" patternUnits="userSpaceOnUse"><circle class="hatch-dot" cx="2.5" cy="2.5" r="1.1"/></pattern></defs>`;

function topsOf(lanes: readonly ServerLane[], start: number): number[] {
  let top = start;
  return lanes.map((lane, index) => {
    if (index > 0) top += ROW + (lanes[index - 1]?.policy === lane.policy ? 0 : POLICY_GAP);
    return top;
  });
}

function serverRow(lane: ServerLane, hits: readonly Broken[], axis: TimeAxis, top: number): string {
  const base = top + ROW - 8;
  const isNamed = lane.name !== lane.id;
  const name = `<text class="name strong" x="0" y="${base - 3}">${escapeText(shorten(lane.name, isNamed ? 14 : 26))}</text>`;
  const id = isNamed
    ? `<text class="name id end" x="${LEFT - 8}" y="${base - 3}">${escapeText(shorten(lane.id, 12))}</text>`
    : '';
  const label = `<g><title>${escapeText(`${lane.name} (${lane.id}), policy ${lane.policy}`)}</title>${name}${id}</g>`;
  const evictions = lane.events.filter(isEviction).map((event) => {
    const about = `${seconds(event.atMs)} s: ${event.type}, ${event.why}`;
    return marker('eviction', axis.x(event.atMs), base + 1, `l4 7h-8z`, about);
  });
  const spans = lane.spans.map((span) => spanOf(span, axis, base));
  return [label, ...spans, ...hits.map((each) => brokenSpan(each, axis, base)), ...evictions].join('');
}

function proxyRow(hits: readonly Broken[], axis: TimeAxis): string {
  const base = ROW - 8;
  const up = `<rect class="s-ready" x="${LEFT}" y="${base - BAR}" width="${coordinate(axis.x(axis.endMs) - LEFT)}" height="${BAR}"/>`;
  const name = [...new Set(hits.map(({ hit }) => hit.target))].join(', ');
  const label = `<text class="name strong" x="0" y="${base - 3}">${escapeText(shorten(name, 26))}</text>`;
  const down = hits.map(({ hit }) => {
    const x = axis.x(hit.fromMs);
    const width = Math.max(axis.x(hit.healedMs ?? axis.endMs) - x, 1);
    return `<rect class="ground" x="${coordinate(x)}" y="${base - BAR}" width="${coordinate(width)}" height="${BAR}"/>`;
  });
  return [label, up, ...down, ...hits.map((each) => brokenSpan(each, axis, base))].join('');
}

function spanOf({ state, fromMs, toMs }: StateSpan, axis: TimeAxis, base: number): string {
  const x = axis.x(fromMs);
  const height = HEIGHTS[state];
  const width = Math.max(axis.x(toMs) - x, 0.8);
  const title = `${STATE_WORDS[state]}, ${seconds(fromMs)} s to ${seconds(toMs)} s`;
  return `<rect class="s-${state}" x="${coordinate(x)}" y="${base - height}" width="${coordinate(width)}" height="${height}"><title>${title}</title></rect>`;
}

function brokenSpan({ fault, hit }: Broken, axis: TimeAxis, base: number): string {
  const x = axis.x(hit.fromMs);
  const width = Math.max(axis.x(hit.healedMs ?? hit.healMs ?? axis.endMs) - x, 1.5);
  const about = `${seconds(hit.fromMs)} s: ${fault.kind} (fault ${fault.id})`;
  const pattern = GRAY_KINDS.includes(fault.kind) ? 'hatch-gray' : 'hatch-down';
  const span = `<rect class="broken" fill="url(#${pattern})" x="${coordinate(x)}" y="${base - BAR}" width="${coordinate(width)}" height="${BAR}"/>`;
  return span + marker('fault-start', x, base - BAR - 1, 'l-4 -7h8z', about);
}

function marker(className: string, x: number, y: number, shape: string, about: string): string {
  return `<path class="${className}" d="M${coordinate(x)} ${y}${shape}"><title>${escapeText(about)}</title></path>`;
}

function legend(top: number): string {
  const y = top + 10;
  let x = 0;
  const entry = (drawing: string, text: string) => {
    const at = x;
    x += 30 + text.length * 6.4 + 16;
    return `<g transform="translate(${coordinate(at)} ${y})">${drawing}<text class="note" x="25" dy=".35em">${text}</text></g>`;
  };
  const states = LEGEND.map(([state, text]) => {
    const place = `y="${6 - HEIGHTS[state]}" width="19" height="${HEIGHTS[state]}"`;
    return entry(`<rect class="s-${state}" ${place}/>`, text);
  });
  const hatch = (pattern: string) =>
    `<rect class="broken" fill="url(#${pattern})" y="-7" width="19" height="${BAR}"/>`;
  return [
    ...states,
    entry(hatch('hatch-down'), 'dead or cut off'),
    entry(hatch('hatch-gray'), 'faulty, running'),
    entry('<path class="fault-start" d="M10 4l-4 -7h8z"/>', 'fault starts'),
    entry('<path class="eviction" d="M10 -3l4 7h-8z"/>', 'taken out'),
  ].join('');
}
