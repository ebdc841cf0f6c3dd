// pure · a chart of the page → an SVG file of its own.
// Must never depend on the page: it brings its colours, for light and dark, and its ground.
import { CHART_STYLE, PALETTE } from '../../kit/report/theme.ts';

const MARGIN = 16;

/** The same drawing with its style inside, on a ground, with a margin around it. */
export function standalone(svg: string): string {
  const [, width = '0', height = '0'] = /viewBox="0 0 (\S+) (\S+)"/.exec(svg) ?? [];
  const box = `${-MARGIN} ${-MARGIN} ${Number(width) + 2 * MARGIN} ${Number(height) + 2 * MARGIN}`;
  const ground = `<rect class="ground" x="${-MARGIN}" y="${-MARGIN}" width="100%" height="100%"/>`;
  return svg
    .replace(/viewBox="[^"]*"/, `viewBox="${box}"`)
    .replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" ')
    .replace('>', `>\n<style>${PALETTE}${CHART_STYLE}</style>${ground}`)
    .concat('\n');
}
