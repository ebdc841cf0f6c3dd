// What the boxes of the clients and of the proxy say, in every form of the picture.
import { html } from '../html.ts';
import type { Hello, Totals } from '../model/contract.ts';
import { whole } from '../model/words.ts';

export function clientsText({ connections, requestsPerS }: Totals) {
  return html`<b class="name">Clients</b>
    <span><b>${whole(connections)}</b> connections</span>
    <span><b>${whole(requestsPerS)}</b> requests/s</span>`;
}

export function proxyText({ requestsPerS, inFlight, waiting }: Totals, { wellKnownPort }: Hello) {
  return html`<b class="name">Proxy</b>
    <span>port ${wellKnownPort}</span>
    <span><b>${whole(requestsPerS)}</b> requests/s</span>
    <span><b>${whole(inFlight)}</b> in flight</span>
    <span><b>${whole(waiting)}</b> waiting</span>`;
}
