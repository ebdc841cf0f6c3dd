// The last 50 probes in 72 by 22 pixels: how long those took that passed, and which failed.
import { html } from '../html.ts';
import type { Server } from '../model/contract.ts';

const SLOTS = 50;
const STEP = 2.5;
const HEIGHT = 20;

export function spark({ bars }: Server) {
  const failed = [...bars].filter((bar) => bar === '!').length;
  const label =
    bars === '' ? 'no probe yet' : `${bars.length - failed} of the last ${bars.length} probes passed`;
  return html`
    <svg class="spark" viewBox="0 0 125 22" width="125" height="22" role="img" aria-label=${label}>
      <path class="axis" d="M0 20.5H125" />
      <path class="passed" d=${lines(bars, (bar) => (bar >= 'a' && bar <= 'j' ? 3 + (bar.charCodeAt(0) - 97) * 1.5 : 0), 0)} />
      <path class="failed" d=${lines(bars, (bar) => (bar === '!' ? 13 : 0), 6)} />
    </svg>`;
}

function lines(bars: string, heightOf: (bar: string) => number, raisedBy: number): string {
  const offset = SLOTS - bars.length;
  let path = '';
  for (const [at, bar] of [...bars].entries()) {
    const height = heightOf(bar);
    if (height === 0) continue;
    path += `M${((offset + at) * STEP + 1.25).toFixed(2)} ${HEIGHT - raisedBy}v-${height.toFixed(1)}`;
  }
  return path;
}
