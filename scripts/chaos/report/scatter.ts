// pure · one point per request: when it was due and how long it took, by what became of it.
// Must never let many good points hide a bad one: the rarest kind is drawn last, and only good ones are thinned out.

import { coordinate } from '../../kit/report/format.ts';
import { LEFT, RIGHT, type TimeAxis, timeChart } from '../../kit/report/frame.ts';
import { escapeText } from '../../kit/report/html.ts';
import { symbolPath } from '../../kit/report/symbols.ts';
import { count, decimal, seconds } from '../../kit/words.ts';
import type { Recording, RequestRow } from '../journal.ts';
import { densityOf } from './density.ts';
import { KIND_WORDS, KINDS, type Kind, kindOf, nameOf } from './figures.ts';
import { decadesAround, horizontalGrid, type LogScale, logScale } from './log-scale.ts';

const HEIGHT = 340;
const LEGEND_ROW = 22;
/** More points of one kind than this are thinned out evenly. */
const MAX_POINTS = 5000;
/** So many points of a kind tell under the mouse what they are. */
const MAX_TOLD = 300;

/** The chart, and in words what was left out of it. */
export function latencyScatter(recording: Recording, axis: TimeAxis): { svg: string; note: string } {
  const byKind = Map.groupBy(recording.requests, kindOf);
  const sent = recording.requests.filter(({ outcome }) => outcome !== 'dropped');
  const range = decadesAround(sent.map(({ latencyMs }) => latencyMs));
  // The most frequent kind first, so that the rarest lies on top.
  const order = KINDS.filter((kind) => byKind.has(kind)).sort(
    (a, b) => (byKind.get(b)?.length ?? 0) - (byKind.get(a)?.length ?? 0),
  );
  const chart = timeChart(axis, {
    label: 'Latency of each request over time, logarithmic, by outcome',
    height: HEIGHT,
    draw: (top) => {
      const scale = logScale(range, top + HEIGHT - 8, top + 22);
      const layers = order.map((kind) => layer(kind, byKind.get(kind) ?? [], recording, axis, scale));
      return [horizontalGrid(scale), ...layers, faultNames(recording, axis, top), legend(byKind, top)].join(
        '\n',
      );
    },
  });
  return { svg: chart, note: noteOf(byKind) };
}

function noteOf(byKind: ReadonlyMap<Kind, readonly RequestRow[]>): string {
  const thinned = KINDS.filter((kind) => kind !== 'ok' && (byKind.get(kind)?.length ?? 0) > MAX_POINTS);
  const ok = 'ok points that fall on the same spot are one, the darker the more there are; ';
  const others =
    thinned.length === 0
      ? 'all others are drawn.'
      : `of ${thinned.map((kind) => KIND_WORDS[kind]).join(', ')} ${count(MAX_POINTS)} are drawn, evenly chosen.`;
  return ok + others;
}

function layer(
  kind: Kind,
  rows: readonly RequestRow[],
  recording: Recording,
  axis: TimeAxis,
  scale: LogScale,
): string {
  const point = (row: RequestRow) => ({ x: axis.x(row.dueMs), y: scale.position(row.latencyMs) });
  if (kind === 'ok') return `<g class="k-ok">${densityOf(rows.map(point))}</g>`;
  const step = Math.max(1, rows.length / MAX_POINTS);
  const chosen = step === 1 ? rows : Array.from({ length: MAX_POINTS }, (_, i) => rows[Math.floor(i * step)]);
  const paths = chosen.flatMap((row) => {
    if (row === undefined) return [];
    const { x, y } = point(row);
    return { row, path: symbolPath(kind, x, y) };
  });
  if (rows.length > MAX_TOLD) {
    return `<path class="symbol k-${kind}" d="${paths.map(({ path }) => path).join('')}"/>`;
  }
  const told = paths.map(
    ({ row, path }) => `<path d="${path}"><title>${describe(row, recording)}</title></path>`,
  );
  return `<g class="symbol k-${kind}">${told.join('')}</g>`;
}

function describe(row: RequestRow, { names }: Recording): string {
  const isById = row.outcome === 'ok' || row.outcome === 'wrong';
  const detail = isById ? `by ${nameOf(names, row.detail)}` : row.detail;
  const first = row.first === null ? '' : `; first ${row.first.outcome} ${row.first.detail}`;
  const attempts = row.attempts > 1 ? `, ${row.attempts} attempts${first}` : '';
  return escapeText(
    `${seconds(row.dueMs)} s: ${KIND_WORDS[kindOf(row)]} ${detail}, ${decimal(row.latencyMs)} ms, policy ${row.policy}${attempts}`,
  );
}

/** What the shaded bands are, where there is room. */
function faultNames({ faults }: Recording, axis: TimeAxis, top: number): string {
  const sorted = faults.toSorted((a, b) => a.injectMs - b.injectMs);
  let freeFrom = 0;
  return sorted
    .map(({ id, kind, injectMs }, index) => {
      const x = axis.x(injectMs);
      const end = Math.min(axis.x(sorted[index + 1]?.injectMs ?? axis.endMs), RIGHT);
      if (x < freeFrom) return '';
      const whole = `${id} ${kind}`;
      const text = x + widthOf(whole) < end ? whole : String(id);
      freeFrom = x + widthOf(text);
      return `<text class="band-name" x="${coordinate(x + 2)}" y="${top + 12}">${escapeText(text)}</text>`;
    })
    .join('');
}

function widthOf(text: string): number {
  return text.length * 6.5 + 4;
}

function legend(byKind: ReadonlyMap<Kind, readonly RequestRow[]>, top: number): string {
  const rows = KINDS.map((kind, index) => {
    const y = top + 16 + index * LEGEND_ROW;
    const n = byKind.get(kind)?.length ?? 0;
    const symbol = `<path class="symbol k-${kind}" d="${symbolPath(kind, 8, y)}"/>`;
    return `<g${n === 0 ? ' class="dim"' : ''}>${symbol}<text class="name" x="20" y="${y}" dy=".35em">${KIND_WORDS[kind]}</text><text class="name number end" x="${coordinate(LEFT - 62)}" y="${y}" dy=".35em">${count(n)}</text></g>`;
  });
  return rows.join('');
}
