// pure · a tree of functions → a drawing of it, callers above callees, as wide as their share of the time.
// Must never tell whose time it is by colour alone: each frame's title says it too.

import { coordinate } from '../../kit/report/charts.ts';
import { escapeText } from '../../kit/report/html.ts';
import { percent } from '../../kit/words.ts';
import type { Category, Flame, Frame } from './flame.ts';

/** The drawing's own units; a page scales it. */
export const FLAME_WIDTH = 1240;
const ROW_HEIGHT = 18;
const ROW_GAP = 1;
// Narrower frames can't be seen or hit; zooming shows them no better than the profile's own file does.
const MIN_WIDTH = 0.4;
/** How names are cut to the width of their frame: of a letter, left and right of the name, and the fewest worth showing. */
export const LABELS = { letterWidth: 6.3, padding: 4, minLetters: 3 };

export const CATEGORY_WORDS: Readonly<Record<Category, string>> = {
  ours: 'policy-proxy',
  library: 'a library',
  node: 'Node, in JavaScript',
  native: 'Node and V8, native functions',
  program: 'native code outside of any function',
  gc: 'garbage collector',
  idle: 'waiting for work',
};

/** An SVG element for a page that has the style of `flame-style.ts`. */
export function drawFlame(flame: Flame): string {
  const rows: string[] = [];
  const busyUs = flame.totalUs - flame.idleUs;
  let depth = 0;
  const draw = (frames: readonly Frame[], x: number, row: number): void => {
    let left = x;
    for (const frame of frames) {
      const width = (frame.totalUs / flame.totalUs) * FLAME_WIDTH;
      if (width >= MIN_WIDTH) {
        depth = Math.max(depth, row + 1);
        const whole = frame.category === 'idle' ? flame.totalUs : busyUs;
        rows.push(drawFrame(frame, left, row, width, titleOf(frame, whole)));
        draw(frame.children, left, row + 1);
      }
      left += width;
    }
  };
  draw(flame.children, 0, 0);
  const height = Math.max(1, depth) * ROW_HEIGHT;
  return `<svg class="flame" viewBox="0 0 ${FLAME_WIDTH} ${height}" role="img" aria-label="Flame graph">\n${rows.join('\n')}\n</svg>`;
}

function drawFrame({ name, category }: Frame, x: number, row: number, width: number, title: string): string {
  const y = row * ROW_HEIGHT;
  const place = `x="${fine(x)}" y="${y}" width="${fine(width)}" height="${ROW_HEIGHT - ROW_GAP}"`;
  const label = escapeText(labelOf(name, width));
  const text = `<text x="${coordinate(x + LABELS.padding)}" y="${y + ROW_HEIGHT - 6}">${label}</text>`;
  return `<g class="c-${category}"><title>${escapeText(title)}</title><rect ${place}/>${text}</g>`;
}

/** What fits into a frame of that width: the name, its beginning, or nothing. */
function labelOf(name: string, width: number): string {
  const { letterWidth, padding, minLetters } = LABELS;
  const letters = Math.floor((width - 2 * padding) / letterWidth);
  if (letters >= name.length) return name;
  return letters < minLetters ? '' : `${name.slice(0, letters - 1)}…`;
}

function titleOf({ name, place, category, selfUs, totalUs }: Frame, wholeUs: number): string {
  const where = place === '' ? CATEGORY_WORDS[category] : `${place} (${CATEGORY_WORDS[category]})`;
  if (category === 'idle') return `${name}\n${where}\n${percent(totalUs, wholeUs)} of the time`;
  const own = percent(selfUs, wholeUs);
  return `${name}\n${where}\n${own} itself, ${percent(totalUs, wholeUs)} with what it calls, of the busy time`;
}

// Widths are compared when a page zooms: a tenth would add up to gaps.
function fine(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}
