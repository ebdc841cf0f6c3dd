// pure · many points → few strokes: a grid of cells, darker where more points fall.
// Must never need more room than the grid has cells, however many points there are.
import { coordinate } from '../../kit/report/format.ts';

const CELL = 2;
/** From how many points in a cell on it belongs to the next darker layer. */
const LAYERS = [1, 3, 8];

/** SVG paths, one per layer of density, for strokes as wide as a cell. */
export function densityOf(points: readonly { x: number; y: number }[]): string {
  const rows = countCells(points);
  const paths = LAYERS.map(() => '');
  for (const [row, cells] of [...rows].sort(([a], [b]) => a - b)) {
    const columns = [...cells.keys()].sort((a, b) => a - b);
    for (const run of runsOf(columns, (column) => layerOf(cells.get(column) ?? 0))) {
      const length = (run.to - run.from) * CELL;
      paths[run.layer] += `M${coordinate(run.from * CELL)} ${coordinate(row * CELL)}h${length}`;
    }
  }
  return paths.map((d, layer) => (d === '' ? '' : `<path class="d${layer}" d="${d}"/>`)).join('');
}

function countCells(points: readonly { x: number; y: number }[]): Map<number, Map<number, number>> {
  const rows = new Map<number, Map<number, number>>();
  for (const { x, y } of points) {
    const [column, row] = [Math.round(x / CELL), Math.round(y / CELL)];
    const cells = rows.get(row) ?? new Map<number, number>();
    cells.set(column, (cells.get(column) ?? 0) + 1);
    rows.set(row, cells);
  }
  return rows;
}

function layerOf(count: number): number {
  return LAYERS.findLastIndex((least) => count >= least);
}

type Run = { from: number; to: number; layer: number };

/** Neighbours of the same layer become one stroke. */
function runsOf(columns: readonly number[], layerAt: (column: number) => number): Run[] {
  const runs: Run[] = [];
  for (const column of columns) {
    const layer = layerAt(column);
    const last = runs.at(-1);
    if (last !== undefined && last.to === column - 1 && last.layer === layer) last.to = column;
    else runs.push({ from: column, to: column, layer });
  }
  return runs;
}
