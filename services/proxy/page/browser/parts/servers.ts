// The table: every policy with its servers, or only what is not ready.
import { html } from '../html.ts';
import type { Policy, Server } from '../model/contract.ts';
import { inRotation, isGood, keyOf, reasonOf, SHOWN, sentence, shownState } from '../model/rows.ts';
import { go, isLarge, model, serversIn } from '../model/store.ts';
import { count, milliseconds, nameOf, percent, policyTitle, rate } from '../model/words.ts';
import { textOf } from './head.ts';
import { quiet, Row } from './row.ts';
import { sign } from './sign.ts';

const NARROW = matchMedia('(max-width: 760px)');

/** Whether the table lists only what is not ready. */
export function isOnlyNotReady(): boolean {
  const { place, state } = model;
  if (place.show !== null) return place.show === 'not-ready';
  return (isLarge(state) || NARROW.matches) && state !== null && notReady(state.policies) > 0;
}

function notReady(policies: readonly Policy[]): number {
  return policies.flatMap(({ servers }) => servers).filter((server) => !isGood(server)).length;
}

type Listed = { policy: Policy; servers: Server[] };

function listed(policies: readonly Policy[]): Listed[] {
  const isFew = isOnlyNotReady();
  const words = model.place.find.toLowerCase().split(/\s+/).filter(Boolean);
  return policies
    .map((policy) => ({
      policy,
      servers: policy.servers.filter((server) => {
        if (isFew && isGood(server)) return false;
        if (words.length === 0) return true;
        const about =
          `${policyTitle(policy.policy)} ${nameOf(server)} ${server.id} ${server.address} ${shownState(server)} ${sentence(reasonOf(server))}`.toLowerCase();
        return words.every((word) => about.includes(word));
      }),
    }))
    .filter(({ servers }) => servers.length > 0);
}

export function Servers() {
  const { state } = model;
  if (state === null) return html`<section class="panel servers"></section>`;
  const all = serversIn(state);
  if (all === 0) {
    return html`<section class="panel line"><h2>Servers</h2><span>none yet</span></section>`;
  }
  const rows = listed(state.policies);
  const keys = rows.flatMap(({ servers }) => servers.map(keyOf));
  const stop = keys.includes(model.place.open) ? model.place.open : keys[0];
  return html`
    <section class="panel servers" aria-labelledby="servers">
      <${Bar} all=${all} out=${notReady(state.policies)} policies=${state.policies} />
      <div class="table" role="grid" aria-label="Servers by policy" aria-rowcount=${keys.length} onKeyDown=${move}>
        <div role="rowgroup"><div role="row" class="headings">
          ${HEADINGS.map(([name, kind]) => html`<div role="columnheader" class=${kind}>${name}</div>`)}
        </div></div>
        ${rows.map((each) => html`<${Group} key=${each.policy.policy} listed=${each} stop=${stop} />`)}
      </div>
      ${rest(state.policies, all, keys.length)}
    </section>`;
}

const HEADINGS = [
  ['Turn', ''],
  ['State', ''],
  ['Server', ''],
  ['Why, and what changes it next', ''],
  ['Requests/s', 'number'],
  ['In flight', 'number'],
  ['Failed', 'number'],
  ['p50 ms', 'number'],
  ['p99 ms', 'number'],
  ['Last 50 probes', 'probes'],
  ['Last probe', 'number'],
  [html`<span class="hidden">Acts</span>`, ''],
] as const;

function Bar({ all, out, policies }: { all: number; out: number; policies: readonly Policy[] }) {
  const isFew = isOnlyNotReady();
  const servers = policies.flatMap((policy) => policy.servers);
  const counts = SHOWN.map(
    (shown) => [shown, servers.filter((one) => shownState(one) === shown).length] as const,
  );
  return html`
    <div class="tools">
      <h2 id="servers">Servers</h2>
      <div class="switch" role="group" aria-label="Which servers">
        <button type="button" aria-pressed=${!isFew} onClick=${() => go({ show: 'all' })}>All ${all}</button>
        <button type="button" aria-pressed=${isFew} onClick=${() => go({ show: 'not-ready' })}>Not ready ${out}</button>
      </div>
      <ul class="counts" aria-label="Servers by state">
        ${counts
          .filter(([, number]) => number > 0)
          .map(([shown, number]) => html`<li key=${shown}>${sign(shown, 13)}${shown} <b>${number}</b></li>`)}
      </ul>
      <label class="find">${sign('find', 14)}<span class="hidden">Find a server</span>
        <input id="find" type="search" placeholder="Name, address, reason" value=${model.place.find} autocomplete="off" spellcheck=${false}
          onInput=${(event: InputEvent) => go({ find: textOf(event) })} /><kbd aria-hidden="true">/</kbd></label>
    </div>`;
}

function Group({ listed: { policy, servers }, stop }: { listed: Listed; stop: string | undefined }) {
  const { place, connection } = model;
  const greatest = Math.max(...policy.servers.map(({ requestsPerS }) => requestsPerS));
  return html`
    <div role="rowgroup" class="group">
      <${PolicyRow} policy=${policy} />
      ${servers.map((server) => {
        const key = keyOf(server);
        return html`<${Row} key=${key} server=${server} isNext=${policy.nextId === server.id}
          greatestRate=${greatest} isOpen=${place.open === key} isStop=${stop === key} isStale=${connection.kind === 'stale'} onOpen=${openServer} />`;
      })}
    </div>`;
}

function PolicyRow({ policy }: { policy: Policy }) {
  const { servers, waiting, budgetRatio } = policy;
  const ready = inRotation(policy);
  const of = (pick: (server: Server) => number): number => servers.reduce((sum, one) => sum + pick(one), 0);
  const hold = (model.hello?.thresholds.holdMs ?? 500) / 1000;
  return html`
    <div role="row" class="row policy">
      <div role="rowheader" class="title"><b>${policyTitle(policy.policy)}</b>
        ${ready === 0 ? html`<span class="bad">no server ready</span>` : html`<span>${ready} of ${servers.length} in rotation</span>`}</div>
      <div role="gridcell" class="why">${
        ready === 0 && waiting > 0
          ? html`<span class="bad">${count(waiting, 'request waits', 'requests wait')}</span> up to ${hold} s, then get NO_SERVER`
          : `${waiting} waiting; ${percent(budgetRatio)} % of the retry budget left`
      }</div>
      <div role="gridcell" class="number">${rate(of(({ requestsPerS }) => requestsPerS))}</div>
      <div role="gridcell" class="number">${quiet(of(({ inFlight }) => inFlight))}</div>
      <div role="gridcell" class="number">${quiet(of(({ failed }) => failed))}</div>
      <div role="gridcell" class="number">${milliseconds(policy.p50Ms)}</div>
      <div role="gridcell" class="number">${milliseconds(policy.p99Ms)}</div>
      <div role="gridcell" class="probes"></div>
      <div role="gridcell" class="number last"></div>
      <div role="gridcell" class="acts"><button type="button" class="plain" aria-label=${`Acts on ${policyTitle(policy.policy)}`}
        onClick=${() => go({ open: `${policy.policy}/` })}>···</button></div>
    </div>`;
}

function rest(policies: readonly Policy[], all: number, shown: number) {
  if (shown === all) return null;
  if (model.place.find !== '') {
    return html`<p class="rest">${count(shown, 'server')} of ${all} found.${' '}<button type="button" class="link" onClick=${() => go({ find: '' })}>Clear the search</button></p>`;
  }
  const ready = all - notReady(policies);
  const whole = policies.filter(({ servers }) =>
    servers.some((server) => shownState(server) === 'ready'),
  ).length;
  return html`<p class="rest">${sign('ready', 12)}${count(ready, 'ready server')} in ${count(whole, 'policy', 'policies')} ${ready === 1 ? 'is' : 'are'} not listed.${' '}<button type="button" class="link" onClick=${() => go({ show: 'all' })}>Show all ${all}</button></p>`;
}

function openServer(key: string): void {
  go({ open: model.place.open === key ? '' : key });
}

// The rows are one stop of the tab key; arrows go through them.
function move(event: KeyboardEvent): void {
  const row = (event.target as Element).closest<HTMLElement>('.row[data-key]');
  if (row === null) return;
  const { key } = event;
  if (key === 'Enter' || key === ' ') {
    if (event.target !== row) return;
    event.preventDefault();
    openServer(row.dataset.key ?? '');
    return;
  }
  const rows = [...document.querySelectorAll<HTMLElement>('.row[data-key]')];
  const at = rows.indexOf(row);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[key];
  if (to === undefined) return;
  event.preventDefault();
  const target = rows[Math.min(rows.length - 1, Math.max(0, to))];
  if (target === undefined) return;
  for (const each of rows) {
    const tabIndex = each === target ? 0 : -1;
    each.tabIndex = tabIndex;
    for (const button of each.querySelectorAll('button')) button.tabIndex = tabIndex;
  }
  target.focus();
}
