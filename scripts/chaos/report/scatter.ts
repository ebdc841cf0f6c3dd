// pure · one point per request: when it was due and how long it took, by its outcome.
import {
  LEFT,
  type LogScale,
  label,
  logScale,
  path,
  RIGHT,
  type TimeAxis,
  tickOf,
  timeChart,
} from '../../kit/report/charts.ts';
import { count } from '../../kit/words.ts';
import type { Recording, RequestRow } from '../journal.ts';
import { Observations } from '../judge/observations.ts';
import { KINDS, type Kind, kindLabel, kindOf, symbolOf, wordsOf } from './figures.ts';

const HEIGHT = 340;
const LEGEND_ROW = 22;
/** Of more bad points of one kind than this only some are drawn, evenly chosen. */
const MAX_POINTS = 5000;
/** Up to so many points of a kind say under the mouse what they are. */
const MAX_DESCRIBED = 300;
/** Right answers are drawn as cells of a grid: 100,000 points would be too many. */
const CELL = 2;
const COLUMNS = 1000;
/** From how many points on a cell is darker. */
const LAYERS = [1, 3, 8];

type Rows = ReadonlyMap<Kind, readonly RequestRow[]>;

export function latencyScatter(recording: Recording, axis: TimeAxis): string {
  const rows: Rows = Map.groupBy(recording.requests, kindOf);
  const sent = recording.requests.filter(({ outcome }) => outcome !== 'dropped');
  // The most frequent kind first, so that the rarest lies on top.
  const order = KINDS.filter((kind) => rows.has(kind)).sort((a, b) => sizeOf(rows, b) - sizeOf(rows, a));
  const thinned = KINDS.filter((kind) => kind !== 'ok' && sizeOf(rows, kind) > MAX_POINTS);
  const others =
    thinned.length === 0
      ? 'all others are drawn.'
      : `of ${thinned.map(wordsOf).join(', ')} ${count(MAX_POINTS)} are drawn, evenly chosen.`;
  return timeChart(axis, {
    title: `Latency of each request, n = ${count(recording.requests.length)}`,
    note: `At its intended start, logarithmic; ok points on the same spot are one, the darker the more there are; ${others}`,
    height: HEIGHT,
    draw: (top) => {
      const latencies = sent.map(({ latencyMs }) => latencyMs);
      const scale = logScale(latencies, top + HEIGHT - 8, top + 22);
      const layers = order.map((kind) => layerOf(kind, rows.get(kind) ?? [], recording, axis, scale));
      return [grid(scale), ...layers, faultNames(recording, axis, top), legend(rows, top)].join('\n');
    },
  });
}

function sizeOf(rows: Rows, kind: Kind): number {
  return rows.get(kind)?.length ?? 0;
}

/** Lines at the decades with their names, and fainter ones at 2 and 5. */
function grid({ decades, at }: LogScale): string {
  const line = (className: string, value: number) => path(className, `M${LEFT} ${at(value)}H${RIGHT}`);
  return decades
    .flatMap((decade, index) => [
      line('grid', decade),
      label('tick end', LEFT - 7, at(decade), tickOf(decade)),
      ...(index === decades.length - 1 ? [] : [2, 5].map((factor) => line('grid minor', decade * factor))),
    ])
    .join('');
}

function layerOf(
  kind: Kind,
  rows: readonly RequestRow[],
  recording: Recording,
  axis: TimeAxis,
  scale: LogScale,
): string {
  const at = (row: RequestRow): [x: number, y: number] => [axis.x(row.dueMs), scale.at(row.latencyMs)];
  if (kind === 'ok') return `<g class="k-ok">${densityOf(rows.map(at))}</g>`;
  if (rows.length <= MAX_DESCRIBED) {
    const seen = new Observations(recording);
    const marks = rows.map((row) => path('', symbolOf(kind, ...at(row)), seen.describeRequest(row)));
    return `<g class="symbol k-${kind}">${marks.join('')}</g>`;
  }
  const step = Math.max(1, rows.length / MAX_POINTS);
  const chosen = rows.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step));
  return path(`symbol k-${kind}`, chosen.map((row) => symbolOf(kind, ...at(row))).join(''));
}

/** A path for each layer of density, for strokes as wide as a cell: neighbours in a row of one layer are one stroke. */
function densityOf(points: readonly (readonly [x: number, y: number])[]): string {
  const cells = new Map<number, number>();
  for (const [x, y] of points) {
    const cell = Math.round(y / CELL) * COLUMNS + Math.round(x / CELL);
    cells.set(cell, (cells.get(cell) ?? 0) + 1);
  }
  const runs: { first: number; last: number; layer: number }[] = [];
  for (const [cell, n] of [...cells].sort(([a], [b]) => a - b)) {
    const layer = LAYERS.findLastIndex((least) => n >= least);
    const run = runs.at(-1);
    if (run !== undefined && run.last === cell - 1 && run.layer === layer) run.last = cell;
    else runs.push({ first: cell, last: cell, layer });
  }
  return LAYERS.map((_, layer) => {
    const strokes = runs
      .filter((run) => run.layer === layer)
      .map(({ first, last }) => {
        const [x, y] = [(first % COLUMNS) * CELL, Math.floor(first / COLUMNS) * CELL];
        return `M${x} ${y}h${(last - first) * CELL}`;
      });
    return path(`d${layer}`, strokes.join(''));
  }).join('');
}

/** What the shaded bands are, where there is room. */
function faultNames({ faults }: Recording, axis: TimeAxis, top: number): string {
  const sorted = faults.toSorted((a, b) => a.injectMs - b.injectMs);
  const widthOf = (text: string) => text.length * 6.5 + 4;
  let freeFrom = 0;
  return sorted
    .map(({ id, kind, injectMs }, index) => {
      const x = axis.x(injectMs);
      const end = Math.min(axis.x(sorted[index + 1]?.injectMs ?? axis.endMs), RIGHT);
      if (x < freeFrom) return '';
      const text = [`${id} ${kind}`].find((whole) => x + widthOf(whole) < end) ?? String(id);
      freeFrom = x + widthOf(text);
      return label('band-name', x + 2, top + 8, text);
    })
    .join('');
}

function legend(rows: Rows, top: number): string {
  return KINDS.map((kind, index) => {
    const y = top + 16 + index * LEGEND_ROW;
    const n = sizeOf(rows, kind);
    return kindLabel(kind, y, n, label('end', LEFT - 62, y, count(n)));
  }).join('');
}
