// pure · figures → the charts of the page, each with its heading and what to look for.
// Must never mix ratios and absolute figures in one chart.
import type { TargetName } from '../plan.ts';
import type { CellFigures, Spread, TargetFigures } from '../statistics.ts';
import { drawRanges, type RangeChart, type RangeRow } from './ranges.ts';

export type Chart = { title: string; note: string; targets: ReadonlySet<TargetName>; drawing: string };

type Part = { title: string; note: string; chart: Omit<RangeChart, 'rows'>; rows: RangeRow[] };

/** The charts that there is something to draw in. */
export function chartsOf(figures: readonly CellFigures[]): Chart[] {
  const closed = figures.filter(({ cell }) => cell.part !== 'latency');
  const parts: Part[] = [
    {
      title: 'Throughput: policy-proxy ÷ each',
      note: 'Right of 1: policy-proxy serves more requests a second. Dot: median of the paired runs, line: from the least to the most.',
      chart: {
        id: 'throughput',
        label: 'Throughput of policy-proxy divided by that of each target',
        axis: 'ratio',
      },
      rows: rowsOf(closed, ({ ratios }) => ratios.throughput),
    },
    {
      title: 'CPU per request: policy-proxy ÷ each',
      note: 'Left of 1: policy-proxy takes less processor time for a request.',
      chart: {
        id: 'cpu',
        label: 'CPU per request of policy-proxy divided by that of each peer',
        axis: 'ratio',
      },
      rows: rowsOf(figures, ({ ratios }) => ratios.cpu),
    },
    {
      title: 'Latency added to a request, µs',
      note: 'At 1,000 requests a second on a connection each: the more to the left, the less is added to the way straight to a server.',
      chart: { id: 'added', label: 'Microseconds that each proxy adds to a request', axis: 'micros' },
      rows: figures.filter(({ cell }) => cell.part === 'latency').flatMap(addedRows),
    },
  ];
  return parts.flatMap(({ title, note, chart, rows }) => {
    const drawing = drawRanges({ ...chart, rows });
    const targets = new Set(rows.flatMap(({ values }) => values.map(({ target }) => target)));
    return drawing === '' ? [] : [{ title, note, targets, drawing }];
  });
}

function rowsOf(figures: readonly CellFigures[], value: (of: TargetFigures) => Spread | null): RangeRow[] {
  return figures
    .map(({ cell, targets }) => ({ label: cell.id, values: valuesOf(targets, value).filter(isRatio) }))
    .filter(({ values }) => values.length > 0);
}

function addedRows({ targets }: CellFigures): RangeRow[] {
  const rows = [
    { label: 'p50', values: valuesOf(targets, ({ addedUs }) => addedUs.p50) },
    { label: 'p99', values: valuesOf(targets, ({ addedUs }) => addedUs.p99) },
  ];
  return rows.filter(({ values }) => values.length > 0);
}

function valuesOf(
  targets: readonly TargetFigures[],
  value: (of: TargetFigures) => Spread | null,
): { target: TargetName; spread: Spread }[] {
  return targets.flatMap((figures) => {
    const spread = value(figures);
    return spread === null ? [] : [{ target: figures.target, spread }];
  });
}

// A run without any answer has the ratio 0, which has no place on a logarithmic axis.
function isRatio({ spread }: { spread: Spread }): boolean {
  return spread.min > 0;
}
