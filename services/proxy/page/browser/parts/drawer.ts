// One server's history, or what can be done with a policy. It lies over the figures, and never over state, name and why.
import { useEffect } from 'preact/hooks';
import { html } from '../html.ts';
import { causeInWords } from '../model/cause.ts';
import { now } from '../model/clock.ts';
import type { ClusterEvent, Fault, Policy, Probe, Server } from '../model/contract.ts';
import { inRotation, keyOf, reasonOf, shownSinceMs, shownState } from '../model/rows.ts';
import { go, model } from '../model/store.ts';
import { capital, clockTime, count, duration, nameOf, policyTitle, rate, whole } from '../model/words.ts';
import { Acts } from './acts.ts';
import { penaltyBar, phrases, rings } from './row.ts';
import { sign, signOfEvent } from './sign.ts';
import { ago } from './ticking.ts';

export function Drawer() {
  const { state, place } = model;
  if (state === null || place.open === '') return null;
  if (place.open.endsWith('/')) {
    const policy = state.policies.find((each) => `${each.policy}/` === place.open);
    return policy === undefined ? null : html`<${PolicyDrawer} key=${place.open} policy=${policy} />`;
  }
  const server = state.policies.flatMap(({ servers }) => servers).find((each) => keyOf(each) === place.open);
  return html`<${ServerDrawer} key=${place.open} server=${server ?? null} />`;
}

/** Closes it, and gives the focus back to the row. */
export function closeDrawer(): void {
  const { open } = model.place;
  go({ open: '' });
  document.querySelector<HTMLElement>(`.row[data-key="${CSS.escape(open)}"]`)?.focus();
}

function frame(title: string, id: string, about: unknown, content: unknown) {
  return html`
    <aside class="drawer" aria-label=${title}>
      <div class="title"><h2>${title}</h2><span class="mono">${id}</span>
        <button type="button" class="plain icon" aria-label="Close" onClick=${closeDrawer}>${sign('close', 16)}</button></div>
      <p class="about">${about}</p>
      ${content}
    </aside>`;
}

function PolicyDrawer({ policy }: { policy: Policy }) {
  const { servers, waiting } = policy;
  const about = `${inRotation(policy)} of ${count(servers.length, 'server')} in rotation, ${waiting} waiting`;
  return frame(
    policyTitle(policy.policy),
    '',
    about,
    html`<${Acts} policy=${policy} server=${null} />
      <ul class="members">${servers.map(
        (server) => html`<li key=${server.id}>${sign(shownState(server), 13)}
          <button type="button" class="link" onClick=${() => go({ open: keyOf(server) })}>${nameOf(server)}</button>
          <span>${shownState(server)}</span></li>`,
      )}</ul>`,
  );
}

function ServerDrawer({ server }: { server: Server | null }) {
  const { detail, state } = model;
  useEffect(() => {
    document.querySelector<HTMLElement>('.drawer button')?.focus({ preventScroll: true });
  }, []);
  const mine = detail !== null && keyOf(detail.row) === model.place.open ? detail : null;
  const row = server ?? mine?.row ?? null;
  if (row === null) {
    return frame(model.place.open, '', 'It is not in the table: it has left, or was forgotten.', null);
  }
  const shown = shownState(row);
  const reason = reasonOf(row);
  const policy = state?.policies.find((each) => each.policy === row.policy);
  const session = row.session ? 'session kept' : 'no session';
  const about = html`policy ${row.policy}, <span class="mono">${row.address}</span>, ${session}, ${
    row.keepAlive ? 'many requests on one connection' : 'one request on each connection'
  }`;
  return frame(
    nameOf(row),
    row.name === null ? '' : String(row.id),
    about,
    html`
      <div class=${`now st-${shown}`}>
        <h3>${sign(shown, 15)} ${capital(shown)} ${ago(shownSinceMs(row))} ago</h3>
        <p>${reason.why}.</p>
        <p class="next">${rings(reason)}${penaltyBar(reason)}${phrases(reason.next)}.</p>
      </div>
      <dl class="words">
        <div><dt>Measured</dt><dd class=${`t-${row.state}`}>${row.state}</dd></div>
        <div><dt>Ordered</dt><dd class=${row.ordered === 'drained' ? 't-drained' : ''}>${row.ordered === 'drained' ? 'drained' : 'nothing'}</dd></div>
        <div><dt>Fault on it</dt><dd class="t-fault">${faultOn(row)}</dd></div>
      </dl>
      ${policy !== undefined && html`<${Acts} policy=${policy} server=${row} />`}
      <${Probes} probes=${mine?.probes ?? []} />
      <dl class="numbers">
        <div><dt>Requests/s</dt><dd>${rate(row.requestsPerS)}</dd></div>
        <div><dt>Answered</dt><dd>${whole(row.served)}</dd></div>
        <div><dt>Failed, moved on</dt><dd>${whole(row.failed)}</dd></div>
        <div><dt>In flight</dt><dd>${whole(row.inFlight)}</dd></div>
      </dl>
      <h3 class="part">History <small>newest first, with the evidence</small></h3>
      <${Transitions} events=${mine?.transitions ?? []} />`,
  );
}

function faultOn(server: Server): string {
  const names = [nameOf(server), server.name, String(server.id)];
  const isOnIt = ({ untilMs, target }: Fault): boolean =>
    untilMs === null && target.split(', ').some((each) => names.includes(each));
  const fault = model.faults.find(isOnIt);
  return fault === undefined ? 'none' : `${fault.kind}, ${duration(now() - fault.fromMs)}`;
}

const [LEFT, WIDTH, HEIGHT] = [40, 468, 84] as const;

function Probes({ probes }: { probes: readonly Probe[] }) {
  const limit = model.hello?.thresholds.healthTimeoutMs ?? 500;
  const failed = probes.filter(({ outcome }) => outcome !== 'pass').length;
  const [first] = probes;
  if (first === undefined) return html`<h3 class="part">Last 50 probes <small>none yet</small></h3>`;
  // From 0.1 ms at the foot to the limit at the top, in equal steps for equal factors.
  const yOf = (ms: number): number =>
    HEIGHT - (HEIGHT - 8) * Math.min(1, Math.max(0.04, (Math.log10(ms) + 1) / (Math.log10(limit) + 1)));
  const step = WIDTH / 50;
  const offset = 50 - probes.length;
  const label = `${probes.length - failed} passed, ${failed} failed; limit ${limit} ms`;
  return html`
    <h3 class="part">Last ${probes.length} probes <small>${label}</small></h3>
    <svg class="probechart" viewBox="0 0 ${LEFT + WIDTH + 6} ${HEIGHT + 18}" role="img" aria-label=${label}>
      ${[1, 10, 100]
        .filter((ms) => ms < limit)
        .map(
          (ms) => html`<text x=${LEFT - 6} y=${yOf(ms) + 4} text-anchor="end">${ms === 1 ? '1 ms' : ms}</text>
          <path class="grid" d=${`M${LEFT} ${yOf(ms)}h${WIDTH}`} />`,
        )}
      <text x=${LEFT - 6} y=${yOf(limit) + 4} text-anchor="end">${limit}</text>
      <path class="limit" d=${`M${LEFT} ${yOf(limit)}h${WIDTH}`} />
      ${probes.map(({ outcome, roundTripMs }, at) => {
        const x = LEFT + (offset + at) * step;
        if (outcome === 'pass') {
          const y = yOf(roundTripMs);
          return html`<rect class="passed" x=${x + 1} y=${y} width=${step - 2} height=${HEIGHT - y} />`;
        }
        const y = yOf(limit);
        const cx = x + step / 2;
        return html`<rect class="failed" x=${x + 1} y=${y} width=${step - 2} height=${HEIGHT - y} />
          <path class="cross" d=${`M${cx - 2.6} ${y - 2.6}l5.2 5.2m0-5.2l-5.2 5.2`} />`;
      })}
      <path class="grid foot" d=${`M${LEFT} ${HEIGHT}h${WIDTH}`} />
      <text x=${LEFT + offset * step} y=${HEIGHT + 14}>${duration(now() - first.atMs)} ago</text>
      <text x=${LEFT + WIDTH} y=${HEIGHT + 14} text-anchor="end">now</text>
    </svg>`;
}

function Transitions({ events }: { events: readonly ClusterEvent[] }) {
  if (events.length === 0) return html`<p class="about">Nothing is kept of it.</p>`;
  const newest = events.toSorted((a, b) => b.seq - a.seq);
  return html`
    <ol class="history">${newest.map((event, at) => {
      const before = newest[at + 1];
      const state = event.type === 'admitted' ? 'ready' : event.type;
      const after =
        before === undefined
          ? ''
          : `after ${duration(event.atMs - before.atMs)} as ${before.type === 'admitted' ? 'ready' : before.type}`;
      return html`
        <li key=${event.seq} class=${`st-${state}`}>${sign(signOfEvent(event.type), 14)}
          <div><b>${capital(state)}</b> <span>${after}</span><time class="mono">${clockTime(event.atMs, true)}</time></div>
          <p>${capital(event.why)}</p>
          <p class="about">${causeInWords(event)}</p>
        </li>`;
    })}</ol>`;
}
