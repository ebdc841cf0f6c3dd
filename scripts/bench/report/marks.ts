// pure · how each target is drawn: a colour of the page's palette and a shape of its own.
// Must never tell two targets apart by colour alone.
import type { TargetName } from '../plan.ts';

type Shape = 'circle' | 'square' | 'triangle' | 'diamond';
export type Mark = { color: string; symbol: { shape: Shape; isFilled: boolean } };

const MARKS: Readonly<Record<TargetName, Mark>> = {
  direct: { color: 'ink-2', symbol: { shape: 'diamond', isFilled: false } },
  'bare-node': { color: 'ink-2', symbol: { shape: 'square', isFilled: false } },
  haproxy: { color: 'k-ok', symbol: { shape: 'circle', isFilled: true } },
  'haproxy-1': { color: 'k-ok', symbol: { shape: 'circle', isFilled: false } },
  nginx: { color: 'pass', symbol: { shape: 'square', isFilled: true } },
  'thread-per-request': { color: 'k-error', symbol: { shape: 'triangle', isFilled: true } },
  baseline: { color: 'k-wrong', symbol: { shape: 'circle', isFilled: false } },
  'policy-proxy': { color: 'k-wrong', symbol: { shape: 'diamond', isFilled: true } },
};

const RADIUS = 4.5;

export function markOf(target: TargetName): Mark {
  return MARKS[target];
}

/** SVG path data of a shape round a point. */
export function symbolShape(shape: Shape, x: number, y: number): string {
  const r = RADIUS;
  switch (shape) {
    case 'circle':
      return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;
    case 'square':
      return `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}Z`;
    case 'triangle':
      return `M${x} ${y - r}L${x + r} ${y + r}H${x - r}Z`;
    case 'diamond':
      return `M${x} ${y - 1.2 * r}L${x + 1.2 * r} ${y}L${x} ${y + 1.2 * r}L${x - 1.2 * r} ${y}Z`;
    default:
      return shape satisfies never;
  }
}

/** The shapes with their names, as HTML. */
export function legendOf(targets: readonly TargetName[]): string {
  const items = targets.map((target) => {
    const { color, symbol } = markOf(target);
    const fill = symbol.isFilled ? `var(--${color})` : 'none';
    const path = `<path d="${symbolShape(symbol.shape, 7, 7)}" style="stroke:var(--${color});fill:${fill};stroke-width:1.8"/>`;
    return `<span class="key"><svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">${path}</svg>${target}</span>`;
  });
  return `<p class="keys">${items.join('')}</p>`;
}
