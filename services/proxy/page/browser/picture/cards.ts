// The picture of a cluster of hundreds of servers: a card for each policy, in their order, so that nothing jumps.
import { Component } from 'preact';
import { html } from '../html.ts';
import type { ClusterState, Hello, Policy, Server } from '../model/contract.ts';
import { inRotation, isGood, isInRotation, shownState } from '../model/rows.ts';
import { go, watchSamples } from '../model/store.ts';
import { milliseconds, nameOf, policyTitle, whole } from '../model/words.ts';
import { sign } from '../parts/sign.ts';
import { ago } from '../parts/ticking.ts';
import { clientsText, proxyText } from './boxes.ts';
import { Dots } from './dots.ts';
import { curve, type Point, pointsAlong } from './layout.ts';

type Properties = { state: ClusterState; hello: Hello; width: number };

const CARD_HEIGHT = 98;
const GAP = 10;
const LEFT = 176;
const IN_A_ROW = 6;
const LEAST_WIDTH_OF_CARD = 128;
// Each that sets out or arrives has a page of hundreds of servers drawn once more.
const DOTS_PER_S = 2;
const SIGNS_AT_MOST = 20;
const [CLIENTS_TOP, CLIENTS_BOTTOM] = [130, 196] as const;

export class Cards extends Component<Properties> {
  #dots: Dots | null = null;
  #stopWatching = (): void => {};

  override componentDidMount(): void {
    this.#stopWatching = watchSamples((samples) => {
      const { policies } = this.props.state;
      for (const { policy } of samples) {
        const at = policies.findIndex((each) => each.policy === policy);
        if (at >= 0) this.#dots?.send(this.#way(Math.floor(at / this.#inARow)), 'request');
      }
    });
  }

  override componentWillUnmount(): void {
    this.#stopWatching();
  }

  override componentDidUpdate({ width }: Properties): void {
    if (width !== this.props.width) this.#dots?.clear();
  }

  get #inARow(): number {
    return Math.max(
      2,
      Math.min(IN_A_ROW, Math.floor((this.props.width - LEFT - 18) / (LEAST_WIDTH_OF_CARD + GAP))),
    );
  }

  get #height(): number {
    const rows = Math.ceil(this.props.state.policies.length / this.#inARow);
    return Math.max(380, rows * (CARD_HEIGHT + GAP) - GAP);
  }

  #row(at: number): Point {
    return [LEFT - 8, at * (CARD_HEIGHT + GAP) + CARD_HEIGHT / 2];
  }

  #way(row: number): Point[] {
    const gate: Point = [140, CLIENTS_BOTTOM + 120];
    return [[78, CLIENTS_BOTTOM], [78, CLIENTS_BOTTOM + 68], gate, ...pointsAlong(gate, this.#row(row))];
  }

  override render() {
    const { state, hello } = this.props;
    const rows = Math.ceil(state.policies.length / this.#inARow);
    const gate: Point = [140, CLIENTS_BOTTOM + 120];
    return html`
      <div class="cards" style=${{ minHeight: `${this.#height}px` }}>
        <svg class="streams" width=${LEFT} height=${this.#height} aria-hidden="true">
          <path class="stream" stroke-width="8" d=${`M78 ${CLIENTS_BOTTOM}V${CLIENTS_BOTTOM + 68}`} />
          ${Array.from({ length: rows }, (_, at) => html`<path class="stream" stroke-width="4" d=${curve(gate, this.#row(at))} />`)}
        </svg>
        <div class="dots" ref=${(element: HTMLElement | null) => {
          if (element !== null && this.#dots === null) this.#dots = new Dots(element, DOTS_PER_S);
        }}></div>
        <div class="box" style=${{ transform: `translate(18px, ${CLIENTS_TOP}px)`, width: '122px', height: '66px' }}>${clientsText(state.proxy)}</div>
        <div class="box" style=${{ transform: `translate(18px, ${CLIENTS_BOTTOM + 68}px)`, width: '122px', height: '104px' }}>${proxyText(state.proxy, hello)}</div>
        <div class="grid" style=${{ gridTemplateColumns: `repeat(${this.#inARow}, minmax(0, 1fr))` }}>
          ${state.policies.map((policy) => html`<${Card} key=${policy.policy} policy=${policy} mark=${markOf(policy)} />`)}
        </div>
      </div>`;
  }
}

// What a card shows but for its ages: it is drawn anew only when this changes.
function markOf({ nextId, waiting, servers, p99Ms }: Policy): string {
  const states = servers.map((server) => `${server.id}${shownState(server)}${server.sinceMs}`).join();
  return `${nextId} ${waiting} ${p99Ms} ${Math.round(rateOf(servers))} ${states}`;
}

function rateOf(servers: readonly Server[]): number {
  return servers.reduce((sum, { requestsPerS }) => sum + requestsPerS, 0);
}

class Card extends Component<{ policy: Policy; mark: string }> {
  override shouldComponentUpdate({ mark }: { mark: string }): boolean {
    return mark !== this.props.mark;
  }

  override render() {
    const { policy } = this.props;
    const { servers, waiting, nextId } = policy;
    const isDead = inRotation(policy) === 0;
    const shown = servers.length > SIGNS_AT_MOST ? servers.slice(0, SIGNS_AT_MOST) : servers;
    const worst =
      servers.find((server) => !isInRotation(server) && !isGood(server)) ??
      servers.find((server) => !isGood(server));
    const colour = isDead ? 'evicted' : worst === undefined ? 'ready' : shownState(worst);
    return html`
      <button type="button" class=${`card st-${colour}`} onClick=${() => go({ open: `${policy.policy}/` })}>
        <span class="top"><b>${policyTitle(policy.policy)}</b><span>${isDead && waiting > 0 ? `${waiting} waiting` : `${whole(rateOf(servers))}/s`}</span></span>
        <span class="signs">${shown.map(
          (server) =>
            html`<i key=${server.id} class=${nextId === server.id ? 'is-next' : ''}>${sign(shownState(server), 12)}</i>`,
        )}${servers.length > SIGNS_AT_MOST && html`<em>+${servers.length - SIGNS_AT_MOST}</em>`}</span>
        <span class="bottom">${lastLine(policy, worst, isDead)}</span>
      </button>`;
  }
}

function lastLine({ servers, p99Ms }: Policy, worst: Server | undefined, isDead: boolean) {
  const out = servers.filter((server) => !isGood(server));
  const latest = Math.max(...out.map(({ sinceMs }) => sinceMs));
  if (isDead)
    return html`${sign('none', 12)}<b class="t-evicted">no server ready</b> <span>${out.length > 0 && ago(latest)}</span>`;
  if (worst === undefined)
    return html`<span>${servers.length} of ${servers.length} ready</span><span class="end">p99 ${milliseconds(p99Ms)} ms</span>`;
  const shown = shownState(worst);
  const isAlike = out.every((server) => shownState(server) === shown);
  const words =
    out.length === 1
      ? `${nameOf(worst)} ${shown}`
      : `${out.length} of ${servers.length} ${isAlike ? shown : 'not ready'}`;
  return html`<b class=${`t-${shown}`}>${words}</b> <span>${ago(latest)}</span>`;
}
