// What happened, newest first, with filters; it can be held still to be read.
import { useState } from 'preact/hooks';
import { html } from '../html.ts';
import type { ClusterEvent, Fault } from '../model/contract.ts';
import { knownName, withName } from '../model/names.ts';
import type { Place } from '../model/place.ts';
import { go, isLarge, model } from '../model/store.ts';
import { clockTime, nameFirst, policyTitle } from '../model/words.ts';
import { textOf } from './head.ts';
import { sign, signOfEvent } from './sign.ts';

const SHOWN_AT_MOST = 120;
const TOGETHER_MS = 1000;

const OUT: ReadonlySet<string> = new Set([
  'suspect',
  'evicted',
  'ejected',
  'leaving',
  'left',
  'forgotten',
  'drained',
]);
const BACK: ReadonlySet<string> = new Set(['admitted', 'trial', 'resumed', 'registered']);

type Entry =
  | { kind: 'event'; key: string; atMs: number; event: ClusterEvent; others: ClusterEvent[] }
  | { kind: 'fault'; key: string; atMs: number; fault: Fault };

const FILTERS: readonly (readonly [Place['events'], string, string | null])[] = [
  ['all', 'All', null],
  ['out', 'Out of rotation', null],
  ['back', 'Back', null],
  ['faults', 'Faults', 'fault'],
  ['orders', 'Orders', 'order'],
];

export function Events() {
  const [held, setHeld] = useState<Entry[] | null>(null);
  const { place, state } = model;
  const all = held ?? entries();
  const shown = all.filter((entry) => isWanted(entry, place)).slice(0, SHOWN_AT_MOST);
  return html`
    <section class="panel events" aria-labelledby="events">
      <div class="tools">
        <h2 id="events">Events</h2>
        <label class="choose"><span class="hidden">Of which policy</span>
          <select value=${place.policy} onChange=${(event: Event) => go({ policy: textOf(event) })}>
            <option value="">Every policy</option>
            ${state?.policies.map(({ policy }) => html`<option key=${policy} value=${policy}>${policyTitle(policy)}</option>`)}
          </select></label>
        <button type="button" class="plain" aria-pressed=${held !== null} onClick=${() => setHeld(held === null ? entries() : null)}>
          ${held === null ? 'Hold still' : 'Go on'}</button>
      </div>
      <div class="chips" role="group" aria-label="Which events">
        ${FILTERS.map(
          ([
            name,
            title,
            shape,
          ]) => html`<button type="button" class="chip" key=${name} aria-pressed=${place.events === name}
            onClick=${() => go({ events: name })}>${shape !== null && sign(shape, 12)}${title}</button>`,
        )}
      </div>
      <ol class="log" tabindex="0" aria-label="Events, newest first">
        ${shown.length === 0 && html`<li class="nothing">${all.length === 0 ? 'Nothing has happened yet.' : 'None of this kind is kept.'}</li>`}
        ${shown.map(line)}
      </ol>
    </section>`;
}

function entries(): Entry[] {
  const events = isLarge(model.state)
    ? together(model.events)
    : model.events.map((event) => entryOf(event, []));
  const all: Entry[] = [
    ...events,
    ...model.faults.map(
      (fault): Entry => ({ kind: 'fault', key: `f${fault.fromMs}${fault.id}`, atMs: fault.fromMs, fault }),
    ),
  ];
  return all.sort((a, b) => b.atMs - a.atMs);
}

const entryOf = (event: ClusterEvent, others: ClusterEvent[]): Entry & { kind: 'event' } => ({
  kind: 'event',
  key: `e${event.seq}`,
  atMs: event.atMs,
  event,
  others,
});

/** Of a large cluster: what happened alike to several servers of a policy within a second is one entry. */
function together(events: readonly ClusterEvent[]): Entry[] {
  const result: (Entry & { kind: 'event' })[] = [];
  for (const event of events) {
    const same = result.findLast(({ event: other, atMs }) => {
      return (
        other.policy === event.policy &&
        other.type === event.type &&
        Math.abs(atMs - event.atMs) < TOGETHER_MS
      );
    });
    if (same === undefined) result.push(entryOf(event, []));
    else same.others.push(event);
  }
  return result;
}

function isWanted(entry: Entry, { events, policy }: Place): boolean {
  if (entry.kind === 'fault') return (events === 'all' || events === 'faults') && policy === '';
  const { cause, policy: of, type } = entry.event;
  if (policy !== '' && of !== policy) return false;
  switch (events) {
    case 'all':
      return true;
    case 'out':
      return OUT.has(type);
    case 'back':
      return BACK.has(type);
    case 'orders':
      return cause === 'ordered';
    case 'faults':
      return false;
    default:
      return events satisfies never;
  }
}

function line(entry: Entry) {
  const time = html`<time class="mono">${clockTime(entry.atMs, true)}</time>`;
  if (entry.kind === 'fault') {
    const { fault } = entry;
    const ended = fault.untilMs === null ? 'still on' : `until ${clockTime(fault.untilMs)}`;
    const detail = fault.detail === '' ? '' : `; ${fault.detail}`;
    return html`<li key=${entry.key} class="fault">${time}${sign('fault', 13)}<div><b>Fault: ${fault.kind} ${fault.target}</b><p>${ended}${detail}</p></div></li>`;
  }
  const { event, others } = entry;
  const state = event.type === 'admitted' ? 'ready' : event.type;
  const name =
    others.length > 0 ? `${others.length + 1} servers of policy ${event.policy}` : knownName(event);
  const names = others.length === 0 ? '' : `${[event, ...others].map(knownName).join(', ')}: `;
  return html`<li key=${entry.key}>${time}${sign(signOfEvent(event.type), 13)}
    <div><b class=${`t-${state}`}>${state}</b> <b>${name}</b>${others.length === 0 && html` <span>policy ${event.policy}</span>`}
      <p>${names}${event.why}</p></div></li>`;
}

/** What the last events say in one sentence, for those who do not see the page. */
export function spoken(event: ClusterEvent): string {
  return `${nameFirst(withName(event))} of policy ${event.policy}: ${event.type === 'admitted' ? 'ready' : event.type}, ${event.why}.`;
}
