// The picture in one column, for narrow windows.
import { html } from '../html.ts';
import type { ClusterState, Policy, Server } from '../model/contract.ts';
import { inRotation, isGood, keyOf, shownState } from '../model/rows.ts';
import { go, isLarge } from '../model/store.ts';
import { nameOf, policyTitle, whole } from '../model/words.ts';
import { sign } from '../parts/sign.ts';
import { ago } from '../parts/ticking.ts';

export function Stack({ state }: { state: ClusterState }) {
  const { proxy, policies } = state;
  return html`
    <div class="stack">
      <div class="line"><b>Clients</b><span><b>${whole(proxy.connections)}</b> connections, <b>${whole(proxy.requestsPerS)}</b>/s</span></div>
      <i class="rail"></i>
      <div class="line"><b>Proxy</b><span><b>${whole(proxy.inFlight)}</b> in flight, <b>${whole(proxy.waiting)}</b> waiting</span></div>
      ${policies.map((policy) => html`<i class="rail"></i><${Group} key=${policy.policy} policy=${policy} isShort=${isLarge(state)} />`)}
      ${policies.length === 0 && html`<p class="about">Servers appear here when they register: <code class="mono">npm start</code></p>`}
    </div>`;
}

function Group({ policy, isShort }: { policy: Policy; isShort: boolean }) {
  const { servers } = policy;
  const rate = servers.reduce((sum, { requestsPerS }) => sum + requestsPerS, 0);
  const listed = isShort ? servers.filter((server) => !isGood(server)) : servers;
  return html`
    <div class="group">
      <div class="line"><b>${policyTitle(policy.policy)}</b><span><b>${inRotation(policy)}</b> of ${servers.length} in rotation, <b>${whole(rate)}</b>/s</span></div>
      ${listed.map((server) => html`<${Line} key=${keyOf(server)} server=${server} isNext=${policy.nextId === server.id} />`)}
    </div>`;
}

function Line({ server, isNext }: { server: Server; isNext: boolean }) {
  const shown = shownState(server);
  return html`
    <button type="button" class=${`server st-${shown}`} onClick=${() => go({ open: keyOf(server) })}>
      ${sign(shown, 12)}<b>${nameOf(server)}</b>${isNext && html`<span class="isnext">${sign('turn', 9)}next</span>`}
      <span class="figure">${
        shown === 'ready'
          ? html`<b>${whole(server.requestsPerS)}</b>/s`
          : html`<span class="word">${shown}</span> ${shown === 'drained' ? '' : ago(server.sinceMs)}`
      }</span>
    </button>`;
}
