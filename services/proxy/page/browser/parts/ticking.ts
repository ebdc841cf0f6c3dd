// Texts that change with the clock alone: written past the rest, five times a second, where they are in view.
import { Component } from 'preact';
import { html } from '../html.ts';
import { isFrozen, now, startTicking, stopTicking, type Ticking } from '../model/clock.ts';
import { duration, timeLeft } from '../model/words.ts';

type Properties = { of: (nowMs: number) => string; class?: string };

/** A text made of the time on the proxy's clock. */
export class Clockwork extends Component<Properties> implements Ticking {
  #element: HTMLElement | null = null;
  #written = '';

  override componentDidMount(): void {
    this.write();
    if (this.#element !== null) startTicking(this.#element, this);
  }

  override componentDidUpdate(): void {
    this.write();
  }

  override componentWillUnmount(): void {
    if (this.#element !== null) stopTicking(this.#element);
  }

  write(): void {
    const text = this.props.of(now());
    if (this.#element === null || text === this.#written) return;
    this.#written = text;
    // A new text node would be styled anew.
    const node = this.#element.firstChild;
    if (node === null) this.#element.textContent = text;
    else node.nodeValue = text;
  }

  #take = (element: HTMLElement | null): void => {
    if (element === null) return;
    this.#element = element;
  };

  override render() {
    return html`<span class=${this.props.class ?? ''} ref=${this.#take}></span>`;
  }
}

/** A bar that fills as time passes. */
export class Passing
  extends Component<{ share: (nowMs: number) => number; class: string }>
  implements Ticking
{
  #element: HTMLElement | null = null;

  override componentDidMount(): void {
    this.write();
    if (this.#element !== null) startTicking(this.#element, this);
  }

  override componentWillUnmount(): void {
    if (this.#element !== null) stopTicking(this.#element);
  }

  write(): void {
    const share = Math.min(1, Math.max(0, this.props.share(now())));
    this.#element?.style.setProperty('--share', share.toFixed(3));
  }

  override render() {
    return html`<i class=${this.props.class} aria-hidden="true" ref=${(element: HTMLElement | null) => {
      if (element !== null) this.#element = element;
    }}></i>`;
  }
}

/** How long ago: `12 s`. */
export function ago(atMs: number) {
  return html`<${Clockwork} of=${(nowMs: number) => duration(nowMs - atMs)} />`;
}

/** How long still, behind `lead`: `; next in 0.4 s`. Nothing is known of it while the proxy is silent. */
export function left(lead: string, atMs: number) {
  if (isFrozen()) return '';
  return html`<${Clockwork} of=${(nowMs: number) => timeLeft(lead, atMs - nowMs)} />`;
}
