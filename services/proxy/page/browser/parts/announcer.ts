// Says to a screen reader how things stand and which server flips, one sentence in two seconds at most.
import { Component } from 'preact';
import { html } from '../html.ts';
import { model } from '../model/store.ts';
import { spoken } from './events.ts';
import { currentVerdict } from './verdict.ts';

const LEAST_BETWEEN_MS = 2000;

export class Announcer extends Component {
  #element: HTMLElement | null = null;
  #said = '';
  #saidMs = 0;
  #lastSeq = -1;
  #timer: ReturnType<typeof setTimeout> | null = null;

  override componentDidMount(): void {
    this.#look();
  }

  override componentDidUpdate(): void {
    this.#look();
  }

  #look(): void {
    const verdict = currentVerdict()?.sentence ?? '';
    document.title = verdict === '' ? 'policy-proxy' : `${verdict} · policy-proxy`;
    const waitMs = this.#saidMs + LEAST_BETWEEN_MS - performance.now();
    if (waitMs <= 0) this.#say(verdict);
    else
      this.#timer ??= setTimeout(() => {
        this.#timer = null;
        this.#look();
      }, waitMs);
  }

  #say(verdict: string): void {
    const [newest] = model.events;
    const isFirst = this.#lastSeq < 0;
    const flip = newest !== undefined && newest.seq !== this.#lastSeq && !isFirst ? `${spoken(newest)} ` : '';
    this.#lastSeq = newest?.seq ?? 0;
    const counted = verdict === this.#said ? '' : verdict;
    if (flip === '' && counted === '') return;
    this.#said = verdict;
    this.#saidMs = performance.now();
    if (this.#element !== null) this.#element.textContent = `${flip}${counted}`;
  }

  override render() {
    return html`<p class="hidden" aria-live="polite" ref=${(element: HTMLElement | null) => {
      this.#element = element;
    }}></p>`;
  }
}
