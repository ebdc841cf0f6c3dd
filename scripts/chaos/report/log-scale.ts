// pure · a logarithmic scale for latencies, with its lines and labels.
// Must never lose a point: what lies outside is drawn at the edge.

import { coordinate } from '../../kit/report/format.ts';
import { LEFT, RIGHT } from '../../kit/report/frame.ts';

export type LogScale = { min: number; max: number; position(value: number): number };

/** Whole decades around all values that are above 0, two at least. */
export function decadesAround(values: Iterable<number>): { min: number; max: number } {
  let low = Number.POSITIVE_INFINITY;
  let high = 0;
  for (const value of values) {
    if (!(value > 0) || !Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (high === 0) return { min: 0.1, max: 1000 };
  const from = Math.max(Math.floor(Math.log10(low)), -2);
  const to = Math.max(Math.ceil(Math.log10(high)), from + 2);
  return { min: 10 ** from, max: 10 ** to };
}

/** From `min` at `from` to `max` at `to`, in pixels. */
export function logScale({ min, max }: { min: number; max: number }, from: number, to: number): LogScale {
  const [low, span] = [Math.log10(min), Math.log10(max) - Math.log10(min)];
  const position = (value: number) => {
    const share = value > 0 ? (Math.log10(value) - low) / span : 0;
    return from + Math.min(Math.max(share, 0), 1) * (to - from);
  };
  return { min, max, position };
}

/** The powers of ten of a scale. */
export function decades({ min, max }: { min: number; max: number }): number[] {
  const first = Math.round(Math.log10(min));
  const length = Math.round(Math.log10(max)) - first + 1;
  return Array.from({ length }, (_, index) => Number((10 ** (first + index)).toPrecision(1)));
}

/** Horizontal lines at the decades, labelled at the left, and fainter ones at 2 and 5. */
export function horizontalGrid(scale: LogScale): string {
  return decades(scale)
    .map((decade) => {
      const y = coordinate(scale.position(decade));
      const minor = [2, 5]
        .filter((factor) => decade * factor < scale.max)
        .map(
          (factor) =>
            `<path class="grid minor" d="M${LEFT} ${coordinate(scale.position(decade * factor))}H${RIGHT}"/>`,
        )
        .join('');
      const label = `<text class="tick end" x="${LEFT - 7}" y="${y}" dy=".35em">${millisecondsLabel(decade)}</text>`;
      return `<path class="grid" d="M${LEFT} ${y}H${RIGHT}"/>${minor}${label}`;
    })
    .join('');
}

function millisecondsLabel(ms: number): string {
  return ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`;
}
