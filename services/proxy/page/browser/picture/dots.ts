// Sampled requests that travel through the picture. Only transform and opacity change, so the page is not drawn anew for them.
import type { Point } from './layout.ts';

const PIXELS_PER_S = 260;
const AT_MOST = 60;

const calm = matchMedia('(prefers-reduced-motion: reduce)');

export class Dots {
  readonly #layer: HTMLElement;
  readonly #free: HTMLElement[] = [];
  #moving = 0;
  readonly #perS: number;
  #mayLeave = 1;
  #refilledMs = performance.now();

  /** @param perS so many leave in a second at most; the numbers beside them count all */
  constructor(layer: HTMLElement, perS: number) {
    this.#layer = layer;
    this.#perS = perS;
  }

  /** Sends a dot along the points, unless nobody would see it or there are enough. */
  send(points: readonly Point[], kind: 'request' | 'probe', onArrival?: () => void): void {
    if (document.hidden || calm.matches || this.#moving >= AT_MOST || points.length < 2) return;
    if (kind === 'request' && !this.#takeTurn()) return;
    const { frames, length } = framesAlong(points);
    const dot = this.#free.pop() ?? this.#layer.appendChild(document.createElement('i'));
    dot.className = kind;
    this.#moving += 1;
    const animation = dot.animate(frames, { duration: (length / PIXELS_PER_S) * 1000, easing: 'linear' });
    const end = (): void => {
      dot.className = '';
      this.#free.push(dot);
      this.#moving -= 1;
    };
    animation.onfinish = () => {
      end();
      onArrival?.();
    };
    animation.oncancel = end;
  }

  /** Takes all away, as when the boxes have moved. */
  clear(): void {
    for (const animation of this.#layer.getAnimations({ subtree: true })) animation.cancel();
  }

  #takeTurn(): boolean {
    const nowMs = performance.now();
    const earned = ((nowMs - this.#refilledMs) / 1000) * this.#perS;
    this.#mayLeave = Math.min(this.#perS / 2, this.#mayLeave + earned);
    this.#refilledMs = nowMs;
    if (this.#mayLeave < 1) return false;
    this.#mayLeave -= 1;
    return true;
  }
}

/** A box lights up for a moment: this is what makes the round robin visible. */
export function glow(element: Element | null | undefined): void {
  if (document.hidden || calm.matches) return;
  element?.animate([{ opacity: 1 }, { opacity: 0 }], { duration: 300, easing: 'ease-out' });
}

function framesAlong(points: readonly Point[]): { frames: Keyframe[]; length: number } {
  const lengths = [0];
  for (const [at, [x, y]] of points.entries()) {
    const before = points[at - 1];
    if (before !== undefined) lengths.push((lengths.at(-1) ?? 0) + Math.hypot(x - before[0], y - before[1]));
  }
  const length = Math.max(1, lengths.at(-1) ?? 1);
  const frames = points.map(([x, y], at) => ({
    transform: `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`,
    offset: (lengths[at] ?? 0) / length,
    opacity: 1,
  }));
  return { frames, length };
}
