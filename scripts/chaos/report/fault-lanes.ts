// pure · a row for each fault: what was done to whom, from when to when, and each hit in it.
// Must never draw a fault without proof like one that was seen to work.

import { coordinate } from '../../kit/report/format.ts';
import { CHART_WIDTH, faultEndMs, LEFT, type TimeAxis, timeChart } from '../../kit/report/frame.ts';
import { escapeText } from '../../kit/report/html.ts';
import { nothingHere } from '../../kit/report/symbols.ts';
import { duration, seconds, shorten } from '../../kit/words.ts';
import type { FaultRecord, Recording } from '../journal.ts';

const ROW = 20;
const TIGHT_ROW = 15;
const MANY = 30;
const GUTTER_CHARACTERS = 13;

export function faultLanes(recording: Recording, axis: TimeAxis): string {
  const { faults } = recording;
  const row = faults.length > MANY ? TIGHT_ROW : ROW;
  return timeChart(axis, {
    label: 'Each fault from its injection to its healing',
    height: Math.max(faults.length, 1) * row + 8,
    draw: (top) => {
      if (faults.length === 0) return nothingHere(top + 18, 'No fault was injected.');
      return faults.map((fault, index) => lane(fault, axis, top + 4 + index * row, row)).join('\n');
    },
    legend: { height: 22, draw: legend },
  });
}

function lane(fault: FaultRecord, axis: TimeAxis, top: number, row: number): string {
  const endMs = faultEndMs(fault, axis.endMs);
  const middle = top + row / 2;
  const height = row - 6;
  const bar = rect('fault-bar', axis, fault.injectMs, endMs, top + 3, height);
  const hits = fault.hits.map(({ fromMs, healMs, healedMs }) =>
    rect('fault-hit', axis, fromMs, healedMs ?? healMs ?? endMs, top + 5, height - 4),
  );
  const targets = fault.targets.join(', ');
  const label = [
    `<text class="name dim end" x="18" y="${middle}" dy=".35em">${fault.id}</text>`,
    `<text class="name strong" x="25" y="${middle}" dy=".35em">${escapeText(fault.kind)}</text>`,
    `<text class="name" x="108" y="${middle}" dy=".35em">${escapeText(shorten(targets, GUTTER_CHARACTERS))}</text>`,
  ];
  const about = `${fault.id} ${fault.kind} ${targets}: ${seconds(fault.injectMs)} s to ${seconds(endMs)} s${fault.isProven ? '' : ', without proof'}`;
  return `<g><title>${escapeText(about)}</title><rect class="hover" x="0" y="${top}" width="${CHART_WIDTH}" height="${row}"/>${bar}${hits.join('')}${label.join('')}${remark(fault, axis, endMs, middle)}</g>`;
}

function remark(fault: FaultRecord, axis: TimeAxis, endMs: number, middle: number): string {
  const length = fault.healedMs === null ? 'not healed' : duration(endMs - fault.injectMs);
  const hits = fault.hits.length > fault.targets.length ? `, ${fault.hits.length} hits` : '';
  const proof = fault.isProven ? '' : `<tspan class="bad"> · not proven</tspan>`;
  const text = `${length}${hits}${proof}`;
  const isLate = axis.x(endMs) > CHART_WIDTH - 220;
  const x = isLate ? axis.x(fault.injectMs) - 6 : axis.x(endMs) + 6;
  return `<text class="note${isLate ? ' end' : ''}" x="${coordinate(x)}" y="${middle}" dy=".35em">${text}</text>`;
}

function rect(
  className: string,
  axis: TimeAxis,
  fromMs: number,
  toMs: number,
  y: number,
  height: number,
): string {
  const x = axis.x(fromMs);
  const width = Math.max(axis.x(toMs) - x, 2);
  return `<rect class="${className}" x="${coordinate(x)}" y="${y}" width="${coordinate(width)}" height="${height}"/>`;
}

function legend(top: number): string {
  const y = top + 8;
  return `<rect class="fault-bar" x="${LEFT}" y="${y - 6}" width="22" height="12"/><text class="note" x="${LEFT + 28}" y="${y}" dy=".35em">from inject to heal</text><rect class="fault-hit" x="${LEFT + 160}" y="${y - 4}" width="22" height="8"/><text class="note" x="${LEFT + 188}" y="${y}" dy=".35em">one hit on one replica</text>`;
}
