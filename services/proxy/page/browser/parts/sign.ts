// A sign for every state, told apart by shape and not by colour alone.
import { html } from '../html.ts';
import type { Shown } from '../model/rows.ts';

const SHAPES: Readonly<Record<string, unknown>> = {
  ready: html`<circle class="fill" cx="8" cy="8" r="5" />`,
  joining: html`<circle class="line dashed" cx="8" cy="8" r="5" stroke-dasharray="2.6 2.6" stroke-width="2" />`,
  standby: html`<path class="line" d="M4 8h8M4 5h8M4 11h8" stroke-width="1.6" />`,
  trial: html`<circle class="line" cx="8" cy="8" r="5" stroke-width="1.6" /><path class="fill" d="M8 3a5 5 0 0 1 0 10z" />`,
  suspect: html`<path class="fill" d="M8 .8 15.2 8 8 15.2.8 8z" /><path class="cut" d="M8 4.6v4M8 10.6v1" />`,
  evicted: html`<rect class="fill" x="2" y="2" width="12" height="12" rx="2.4" /><path class="cut" d="m5.6 5.6 4.8 4.8m0-4.8-4.8 4.8" />`,
  ejected: html`<path class="fill" d="M8 2.4 14 9H2zM2 10.8h12v2.6H2z" />`,
  leaving: html`<path class="line" d="M2.6 3v10M5.4 8h8m-3-3 3 3-3 3" stroke-width="1.7" />`,
  drained: html`<rect class="line" x="2.2" y="2.2" width="11.6" height="11.6" rx="2.6" stroke-width="1.6" /><path class="line" d="M6.2 5.4v5.2M9.8 5.4v5.2" stroke-width="1.7" />`,
  registered: html`<path class="line" d="M8 3v10M3 8h10" stroke-width="1.7" />`,
  fault: html`<path class="fill" d="M9.4 1 3.4 9h4L6.6 15l6-8.2h-4z" />`,
  order: html`<circle class="fill" cx="8" cy="5" r="2.9" /><path class="fill" d="M2.6 14c0-3 2.2-5 5.4-5s5.4 2 5.4 5z" />`,
  none: html`<circle class="line" cx="8" cy="8" r="5.6" stroke-width="1.8" /><path class="line" d="m4.2 11.8 7.6-7.6" stroke-width="1.8" />`,
  warn: html`<path class="fill" d="M8 1.4 15.4 14H.6z" /><path class="cut" d="M8 6v3.6M8 11.4v1" />`,
  good: html`<circle class="fill" cx="8" cy="8" r="6.4" /><path class="cut" d="m5.2 8.2 2 2 3.8-4.2" />`,
  ring: html`<circle class="line" cx="8" cy="8" r="5.4" stroke-width="2" />`,
  turn: html`<path class="fill" d="M4 2.4 13 8l-9 5.6z" />`,
  lock: html`<rect class="line" x="3" y="7" width="10" height="7" rx="1.6" stroke-width="1.4" /><path class="line" d="M5.2 7V5a2.8 2.8 0 0 1 5.6 0v2" stroke-width="1.4" />`,
  moon: html`<path class="line" d="M13 9.6A5.6 5.6 0 0 1 6.4 3a5.6 5.6 0 1 0 6.6 6.6z" stroke-width="1.4" />`,
  sun: html`<circle class="line" cx="8" cy="8" r="3" stroke-width="1.4" /><path class="line" d="M8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8 13 13M13 3l-1.2 1.2M4.2 11.8 3 13" stroke-width="1.4" />`,
  close: html`<path class="line" d="m3.6 3.6 8.8 8.8m0-8.8-8.8 8.8" stroke-width="1.5" />`,
  find: html`<circle class="line" cx="7" cy="7" r="4.2" stroke-width="1.4" /><path class="line" d="m10.2 10.2 3.6 3.6" stroke-width="1.4" />`,
  arrow: html`<path class="line" d="M2.6 8h10m-4-4 4 4-4 4" stroke-width="1.6" />`,
};

/** The sign of a state or of something else that has one; words stand beside it, so it has none of its own. */
export function sign(name: Shown | keyof typeof SHAPES, size = 12) {
  return html`<svg class=${`sign s-${name}`} viewBox="0 0 16 16" width=${size} height=${size} aria-hidden="true">${SHAPES[name]}</svg>`;
}

/** The sign of an event, by its type. */
export function signOfEvent(type: string): string {
  const state = type === 'admitted' ? 'ready' : type;
  if (state in SHAPES) return state;
  if (/drain|resume|forget$|probe/.test(type)) return 'order';
  if (type === 'replaced') return 'registered';
  return type === 'left' ? 'leaving' : 'none';
}
