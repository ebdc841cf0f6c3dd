// pure · a shape for each kind of outcome, so that nobody depends on colours.
// Must never give two kinds the same shape.
import type { Kind } from '../../chaos/report/figures.ts';
import { coordinate } from './format.ts';
import { LEFT } from './frame.ts';
import { escapeText } from './html.ts';

/** The path of the symbol with its centre at (x, y), about 8 pixels across. */
export function symbolPath(kind: Kind, x: number, y: number): string {
  const at = (dx: number, dy: number) => `${coordinate(x + dx)} ${coordinate(y + dy)}`;
  switch (kind) {
    case 'ok':
      return `M${at(-1.5, 0)}h3`;
    case 'retried':
      return `M${at(-3.2, 0)}a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0 -6.4 0`;
    case 'error':
      return `M${at(0, -4.6)}l4.4 8h-8.8z`;
    case 'wrong':
      return `M${at(0, -5)}l5 5l-5 5l-5 -5z`;
    case 'lost':
      return `M${at(-4, -4)}l8 8m0 -8l-8 8`;
    case 'dropped':
      return `M${at(-3.5, -2)}h7v4h-7z`;
    default:
      return kind satisfies never;
  }
}

/** A word in place of a drawing, so that an empty chart can't be taken for a broken one. */
export function nothingHere(y: number, text: string): string {
  return `<text class="note" x="${LEFT + 12}" y="${y}">${escapeText(text)}</text>`;
}
