// One server in the table: always two lines high, so that nothing moves when it fails.
import { Component } from 'preact';
import { html } from '../html.ts';
import { isFrozen } from '../model/clock.ts';
import type { Server } from '../model/contract.ts';
import {
  briefly,
  keyOf,
  type Phrase,
  type Reason,
  reasonOf,
  type Shown,
  shownSinceMs,
  shownState,
} from '../model/rows.ts';
import { go } from '../model/store.ts';
import { capital, milliseconds, nameOf, outcomeWord, rate, whole } from '../model/words.ts';
import { sign } from './sign.ts';
import { spark } from './spark.ts';
import { ago, left, Passing } from './ticking.ts';

export type RowProperties = {
  server: Server;
  isNext: boolean;
  /** The greatest rate in its policy, for the bar under the figure. */
  greatestRate: number;
  isOpen: boolean;
  isStop: boolean;
  isStale: boolean;
  onOpen: (key: string) => void;
};

export class Row extends Component<RowProperties> {
  #element: HTMLElement | null = null;
  #shown: Shown = shownState(this.props.server);

  override componentDidUpdate(): void {
    const shown = shownState(this.props.server);
    if (shown === this.#shown) return;
    this.#shown = shown;
    if (!matchMedia('(prefers-reduced-motion: reduce)').matches) {
      this.#element?.animate([{ filter: 'brightness(0.86)' }, { filter: 'none' }], { duration: 700 });
    }
  }

  override render() {
    const { server, isNext, greatestRate, isOpen, isStop, isStale, onOpen } = this.props;
    const shown = shownState(server);
    const reason = reasonOf(server);
    const key = keyOf(server);
    return html`
      <div role="row" class=${`row st-${shown}${isOpen ? ' open' : ''}`} data-key=${key} tabindex=${isStop ? 0 : -1}
        aria-selected=${isOpen} ref=${(element: HTMLElement | null) => {
          this.#element = element;
        }} onClick=${() => onOpen(key)}>
        <div role="gridcell" class="turn">${isNext && html`${sign('turn', 10)}<span class="hidden">next in turn</span>`}</div>
        <div role="gridcell" class="state">
          ${sign(shown, 14)}<div><b>${capital(shown)}</b><small>${sinceOf(server, isStale)}</small></div>
        </div>
        <div role="gridcell" class="who"><b>${nameOf(server)}</b><small class="mono">${server.address}</small></div>
        <div role="gridcell" class="why">${why(reason, isStale)}</div>
        <div role="gridcell" class="number rate" data-label="requests/s">${rateOf(server, greatestRate)}</div>
        <div role="gridcell" class="number" data-label="in flight">${quiet(server.inFlight)}</div>
        <div role="gridcell" class=${`number${server.failed > 0 && shown !== 'ready' ? ' bad' : ''}`} data-label="failed">${quiet(server.failed)}</div>
        <div role="gridcell" class="number" data-label="p50 ms">${milliseconds(server.p50Ms)}</div>
        <div role="gridcell" class="number" data-label="p99 ms">${milliseconds(server.p99Ms)}</div>
        <div role="gridcell" class="probes">${spark(server)}</div>
        <div role="gridcell" class="number last">${lastProbe(server)}</div>
        <div role="gridcell" class="acts"><button type="button" class="plain" tabindex=${isStop ? 0 : -1} aria-label=${`Acts on ${nameOf(server)}`}
          onClick=${(event: Event) => {
            event.stopPropagation();
            go({ open: key });
          }}>···</button></div>
      </div>`;
  }
}

function sinceOf(server: Server, isStale: boolean) {
  return html`for ${ago(shownSinceMs(server))}${isStale ? ' by then' : ''}`;
}

function why(reason: Reason, isStale: boolean) {
  return html`
    <div class=${`cause${reason.isWarning ? ' warning' : ''}`} title=${reason.why}>${briefly(reason.why)}</div>
    <div class="next">${rings(reason)}${!isStale && penaltyBar(reason)}${phrases(reason.next)}</div>`;
}

export function phrases(next: readonly Phrase[]) {
  return next.map((phrase) => {
    if (phrase.kind === 'strong') return html`<b>${phrase.text}</b>`;
    if (phrase.kind === 'text') return phrase.text;
    return isFrozen() ? null : html`<span key=${phrase.lead}>${left(phrase.lead, phrase.atMs)}</span>`;
  });
}

export function rings({ rings: streak }: Reason) {
  if (streak === null) return null;
  const { good, bad, of } = streak;
  const all = Array.from({ length: Math.min(of, 6) }, (_, at) =>
    at < good ? 'good' : at < bad ? 'bad' : '',
  );
  return html`<span class="rings" aria-hidden="true">${all.map((kind) => html`<i class=${kind}></i>`)}</span>`;
}

export function penaltyBar({ penalty }: Reason) {
  if (penalty === null) return null;
  const { fromMs, endsMs } = penalty;
  return html`<${Passing} class="penalty" share=${(nowMs: number) => (nowMs - fromMs) / Math.max(1, endsMs - fromMs)} />`;
}

function rateOf({ requestsPerS }: Server, greatest: number) {
  if (requestsPerS < 0.05) return quiet(0);
  const width = greatest <= 0 ? 0 : (44 * requestsPerS) / greatest;
  return html`${rate(requestsPerS)}<svg class="bar" width="44" height="3" aria-hidden="true"><rect x=${44 - width} width=${width} height="3" rx="1" /></svg>`;
}

export function quiet(value: number) {
  return value === 0 ? html`<span class="zero">0</span>` : whole(value);
}

function lastProbe({ lastProbe: probe }: Server) {
  if (probe === null) return html`<span class="zero">–</span>`;
  if (probe.outcome !== 'pass') return html`<b class="bad">${outcomeWord(probe.outcome)}</b>`;
  return html`${probe.roundTripMs.toFixed(1)} <span class="unit">ms</span>`;
}
