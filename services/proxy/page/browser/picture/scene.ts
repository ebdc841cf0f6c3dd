// The picture of a cluster of up to fifty servers: boxes, streams between them, and dots that travel.
import { Component } from 'preact';
import { html } from '../html.ts';
import type { ClusterState, Hello, Policy, Sample, Server } from '../model/contract.ts';
import { inRotation, isInRotation, keyOf, shownState } from '../model/rows.ts';
import { go, model, watchSamples } from '../model/store.ts';
import { nameOf, policyTitle, whole } from '../model/words.ts';
import { sign } from '../parts/sign.ts';
import { ago } from '../parts/ticking.ts';
import { clientsText, proxyText } from './boxes.ts';
import { Dots, glow } from './dots.ts';
import {
  type Box,
  curve,
  type Layout,
  layOut,
  left,
  type Point,
  pointsAlong,
  right,
  streamWidth,
} from './layout.ts';
import { sentPath } from './path.ts';

type Properties = { state: ClusterState; hello: Hello; width: number };

export class Scene extends Component<Properties> {
  #layout: Layout = layOut([], 1000);
  #dots: Dots | null = null;
  #root: HTMLElement | null = null;
  #stopWatching = (): void => {};
  #probedMs = 0;

  override componentDidMount(): void {
    this.#stopWatching = watchSamples((samples) => {
      for (const sample of samples) this.#send(sample);
    });
  }

  override componentWillUnmount(): void {
    this.#stopWatching();
  }

  override componentDidUpdate({ width, state }: Properties): void {
    if (width !== this.props.width) this.#dots?.clear();
    if (state !== this.props.state) this.#sendProbes();
  }

  #send({ policy, id }: Sample): void {
    const layout = this.#layout;
    const key = `${policy}/${id}`;
    const [from, to] = [layout.policies.get(policy), layout.servers.get(key)];
    if (from === undefined || to === undefined || this.#dots === null) return;
    const points: Point[] = [
      ...pointsAlong(right(layout.clients), left(layout.proxy)),
      ...pointsAlong(right(layout.proxy), left(from)),
      ...pointsAlong(right(from), left(to)),
    ];
    this.#dots.send(points, 'request', () =>
      glow(this.#root?.querySelector(`[data-server="${CSS.escape(key)}"] .glow`)),
    );
  }

  // Probes of those that get no requests: what may bring them back is seen to happen.
  #sendProbes(): void {
    const probed = this.props.state.policies
      .flatMap(({ servers }) => servers)
      .filter(
        (server) =>
          !isInRotation(server) && server.lastProbe !== null && server.lastProbe.atMs > this.#probedMs,
      );
    this.#probedMs = Math.max(this.#probedMs, ...probed.map(({ lastProbe }) => lastProbe?.atMs ?? 0));
    for (const server of probed.slice(0, 4)) {
      const [from, to] = [this.#layout.policies.get(server.policy), this.#layout.servers.get(keyOf(server))];
      if (from !== undefined && to !== undefined)
        this.#dots?.send(pointsAlong(right(from), left(to)), 'probe');
    }
  }

  #takeLayer = (element: HTMLElement | null): void => {
    if (element !== null && this.#dots === null) this.#dots = new Dots(element, DOTS_PER_S);
  };

  override render() {
    const { state, hello, width } = this.props;
    const layout = layOut(state.policies, width);
    this.#layout = layout;
    const { policies, proxy } = state;
    return html`
      <div class="scene" style=${{ height: `${layout.height}px` }} ref=${(element: HTMLElement | null) => {
        this.#root = element;
      }}>
        <svg width=${width} height=${layout.height} aria-hidden="true">
          <path class="stream" d=${curve(right(layout.clients), left(layout.proxy))} stroke-width=${policies.length === 0 ? 1.5 : streamWidth(proxy.requestsPerS, proxy.requestsPerS)} />
          ${policies.map((policy) => streams(policy, layout, proxy.requestsPerS))}
          ${policies.length === 0 && html`<path class="gone" d=${`M${right(layout.proxy)[0]} ${right(layout.proxy)[1]}H${width * 0.49}`} />`}
          ${ownPath(layout)}
        </svg>
        <div class="dots" ref=${this.#takeLayer}></div>
        <div class="box" style=${at(layout.clients)}>${clientsText(proxy)}</div>
        <div class="box" style=${at(layout.proxy)}>${proxyText(proxy, hello)}</div>
        ${policies.map((policy) => html`<${Group} key=${policy.policy} policy=${policy} layout=${layout} />`)}
        ${policies.length === 0 && html`<${Empty} hello=${hello} />`}
      </div>`;
  }
}

const DOTS_PER_S = 14;
const at = ({ x, y, width, height }: Box) => ({
  transform: `translate(${Math.round(x)}px, ${Math.round(y)}px)`,
  width: `${Math.round(width)}px`,
  height: `${Math.round(height)}px`,
});

function sum(servers: readonly Server[]): number {
  return servers.reduce((total, { requestsPerS }) => total + requestsPerS, 0);
}

function streams({ policy, servers }: Policy, layout: Layout, all: number) {
  const box = layout.policies.get(policy);
  if (box === undefined) return null;
  const own = sum(servers);
  return html`
    <path class=${own > 0 ? 'stream' : 'gone'} d=${curve(right(layout.proxy), left(box))} stroke-width=${streamWidth(own, all)} />
    ${servers.map((server) => {
      const to = layout.servers.get(keyOf(server));
      if (to === undefined) return null;
      const shown = shownState(server);
      const d = curve(right(box), left(to));
      if (shown === 'trial') return html`<path class="ontrial" d=${d} />`;
      if (!isInRotation(server)) return html`<path class="gone" d=${d} />`;
      return html`<path class="stream" d=${d} stroke-width=${streamWidth(server.requestsPerS, all)} />`;
    })}`;
}

function Group({ policy, layout }: { policy: Policy; layout: Layout }) {
  const box = layout.policies.get(policy.policy);
  if (box === undefined) return null;
  const ready = inRotation(policy);
  return html`
    <div class=${`box policy${ready === 0 ? ' dead' : ''}`} style=${at(box)}>
      <b class="name">${policyTitle(policy.policy)}</b>
      <span><b>${whole(sum(policy.servers))}</b> requests/s</span>
      <span><b>${ready}</b> of ${policy.servers.length} in rotation</span>
    </div>
    ${policy.servers.map((server) => {
      const place = layout.servers.get(keyOf(server));
      return place === undefined
        ? null
        : html`<${ServerBox} key=${keyOf(server)} server=${server} box=${place} isNext=${policy.nextId === server.id} />`;
    })}`;
}

function ServerBox({ server, box, isNext }: { server: Server; box: Box; isNext: boolean }) {
  const shown = shownState(server);
  return html`
    <button type="button" tabindex="-1" class=${`box server st-${shown}`} style=${at(box)} data-server=${keyOf(server)}
      onClick=${() => go({ open: keyOf(server) })}>
      <i class="glow"></i>${isNext && html`<span class="next">${sign('turn', 13)}</span>`}
      ${sign(shown, 12)}<b>${nameOf(server)}</b>${shown === 'ready' && html`<span class="hidden">ready</span>`}
      ${
        shown === 'ready'
          ? html`<span class="figure"><b>${whole(server.requestsPerS)}</b>/s</span>`
          : html`<span class="figure"><span class="word">${shown}</span> ${shown === 'drained' ? '' : ago(server.sinceMs)}</span>`
      }
    </button>`;
}

function Empty({ hello }: { hello: Hello }) {
  return html`
    <div class="firststeps">
      <b>Servers appear here when they register.</b>
      <p>In a terminal of its own, for the first server of policy 1:</p>
      <pre class="mono" tabindex="0" aria-label="Command">npm run server -- 1 1 11001 --proxy 127.0.0.1:${hello.wellKnownPort}</pre>
      <p>or the whole cluster: <code class="mono">npm start</code></p>
    </div>`;
}

function ownPath(layout: Layout) {
  const path = sentPath();
  const policy = path === null ? undefined : layout.policies.get(path.policy);
  if (path === null || policy === undefined || model.connection.kind === 'stale') return null;
  const [x, y] = right(layout.clients);
  return html`
    <g class="own">
      <text x=${(x + layout.proxy.x) / 2} y=${y - 12} text-anchor="middle">your packet</text>
      <path class="mine" d=${curve(right(layout.clients), left(layout.proxy))} />
      <path class="mine" d=${curve(right(layout.proxy), left(policy))} />
      ${path.attempts.map(({ id, outcome }, index) => {
        const box = layout.servers.get(`${path.policy}/${id}`);
        if (box === undefined) return null;
        const isLast = index === path.attempts.length - 1 && /^(answered|ok|pass)/.test(outcome);
        const [markX, markY] = [box.x - 34, left(box)[1]];
        return html`<path class=${isLast ? 'mine' : 'mine failed'} d=${curve(right(policy), left(box))} />
          <circle class=${isLast ? 'mark last' : 'mark'} cx=${markX} cy=${markY} r="9" />
          <text class=${isLast ? 'mark last' : 'mark'} x=${markX} y=${markY + 4} text-anchor="middle">${index + 1}</text>`;
      })}
    </g>`;
}
