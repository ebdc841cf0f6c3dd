// The cluster as a picture: clients, the proxy, and behind it policies and servers, in the form that suits their number.
import { Component } from 'preact';
import { html } from '../html.ts';
import { inRotation } from '../model/rows.ts';
import { isLarge, model, serversIn } from '../model/store.ts';
import { clockTime, count, whole } from '../model/words.ts';
import { sign } from '../parts/sign.ts';
import { Cards } from './cards.ts';
import { Scene } from './scene.ts';
import { Stack } from './stack.ts';

const LEAST_WIDTH_OF_SCENE = 620;

/** The panel; it knows how wide it is. */
export class Cluster extends Component<object, { width: number }> {
  override state = { width: innerWidth > 760 ? 1004 : 360 };
  #observer: ResizeObserver | null = null;

  #take = (element: HTMLElement | null): void => {
    this.#observer?.disconnect();
    if (element === null) return;
    this.#observer = new ResizeObserver(([entry]) => {
      const width = Math.round(entry?.contentRect.width ?? 0);
      if (width > 0 && width !== this.state.width) this.setState({ width });
    });
    this.#observer.observe(element);
  };

  override componentWillUnmount(): void {
    this.#observer?.disconnect();
  }

  override render() {
    const { state, connection } = model;
    const { width } = this.state;
    return html`
      <section class="panel cluster" aria-labelledby="cluster">
        <div class="tools"><h2 id="cluster">Cluster</h2>
          <span>${connection.kind === 'stale' ? `as it was at ${clockTime(connection.sinceMs)}` : summary()}</span>
          ${isLarge(state) && html`<span class="legend end">${bigLegend()}</span>`}</div>
        <div class="canvas" ref=${this.#take}>${this.#picture(width)}</div>
        ${!isLarge(state) && html`<p class="legend foot">${legend()}</p>`}
      </section>`;
  }

  #picture(width: number) {
    const { state, hello } = model;
    if (state === null || hello === null) return null;
    if (width < LEAST_WIDTH_OF_SCENE) return html`<${Stack} state=${state} />`;
    if (isLarge(state)) return html`<${Cards} state=${state} hello=${hello} width=${width} />`;
    return html`<${Scene} state=${state} hello=${hello} width=${width} />`;
  }
}

function summary(): string {
  const { state } = model;
  if (state === null) return '';
  const servers = serversIn(state);
  if (servers === 0) return 'no server, no policy';
  return `${count(servers, 'server')}, ${count(state.policies.length, 'policy', 'policies')}`;
}

function legend() {
  const { state, share } = model;
  if (state === null || serversIn(state) === 0)
    return html`${sign('none', 13)}<span>nothing has flowed yet</span>`;
  const one = share === null || share <= 1 ? 'a request' : `one request in ${whole(share)}`;
  return html`
    <span><i class="request"></i>${one}; the numbers count all</span>
    <span>${sign('turn', 10)}next in turn</span>
    <span><i class="probe"></i>a probe</span>
    <span><svg width="20" height="4" aria-hidden="true"><path class="gone" d="M0 2h20" /></svg>gets nothing</span>
    <span><svg width="20" height="4" aria-hidden="true"><path class="mine" d="M0 2h20" /></svg>your packet</span>`;
}

function bigLegend() {
  const policies = model.state?.policies ?? [];
  const whole = policies.filter((policy) => inRotation(policy) === policy.servers.length).length;
  return html`<span>${sign('ready', 12)}a server, ready</span><span class="up">${sign('turn', 10)}next in turn</span>
    <span>${whole} of ${policies.length} policies are whole</span>`;
}
