// The page as a whole, from top to bottom.

import { Charts } from '../charts/charts.ts';
import { html } from '../html.ts';
import { isLarge, model, serversIn } from '../model/store.ts';
import { Cluster } from '../picture/cluster.ts';
import { Announcer } from './announcer.ts';
import { Drawer } from './drawer.ts';
import { Events } from './events.ts';
import { Head, StaleBar } from './head.ts';
import { Send } from './send.ts';
import { Servers } from './servers.ts';
import { VerdictPanel } from './verdict.ts';

export function App() {
  const { state, connection } = model;
  const isEmpty = state !== null && serversIn(state) === 0;
  // The picture of a large cluster takes the whole width.
  const isWide = isLarge(state);
  const looks = [connection.kind === 'stale' && 'is-stale', isEmpty && 'is-empty', isWide && 'is-wide'];
  return html`
    <a class="skip" href="#verdict">To how things stand</a>
    <${Head} />
    <${StaleBar} />
    <main class=${looks.filter(Boolean).join(' ')}>
      <${VerdictPanel} />
      <${Cluster} />
      ${!isWide && html`<${Send} />`}
      <${Servers} />
      <div class="lower">
        <${Charts} />
        ${!isEmpty && html`<div class="side"><${Events} />${isWide && html`<${Send} />`}</div>`}
      </div>
    </main>
    <${Drawer} />
    <${Announcer} />`;
}
