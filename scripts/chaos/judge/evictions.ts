// pure · evictions that should not have been: of servers without a fault, or at all.
// Must never count what the proxy does while it is itself hit, or has only just started.

import type { ProxyEvent, Recording } from '../journal.ts';
import { type Criterion, criterion, moment, nameOf, plural, unknown } from './criterion.ts';
import { AFTERMATH_MS } from './limits.ts';
import { type Trouble, weigh } from './machine.ts';
import { type FaultHit, isHitOn, isJudged, proxyHitsOf, type Span, serverHitsOf } from './queries.ts';
import { describeEvent, eventsOf, isEviction, spanOfEvent } from './server-events.ts';

// A proxy that has just started learns its servers, and may meet them while they register.
const START_MS = 2000;

/** No eviction or ejection of a server that no fault had hit at that time or up to 3 s before. */
export function falseEvictions(): Criterion {
  return criterion('false evictions', '0 evictions without a fault', (recording) => {
    const judged = judgedEvents(recording);
    const evictions = judged.filter(isEviction);
    const hits = serverHitsOf(recording);
    const groundless = judged.filter((event) => !hits.some((each) => isGroundFor(recording, each, event)));
    const evicted = groundless.filter(isEviction);
    const { verdict, notes } = weigh(recording, evicted.map(spanOfEvent));
    const suspects = groundless.filter(({ type }) => type === 'suspect');
    return {
      verdict,
      measured: `${evicted.length} of ${plural(evictions.length, 'eviction')} (suspects without a fault: ${suspects.length})`,
      n: evictions.length,
      details: [...notes, ...[...evicted, ...suspects].map((event) => describeEvent(recording, event))],
    };
  });
}

function isGroundFor(recording: Recording, { hit }: FaultHit, { id, atMs }: ProxyEvent): boolean {
  const untilMs = (hit.healedMs ?? Number.POSITIVE_INFINITY) + AFTERMATH_MS;
  return hit.fromMs <= atMs && atMs <= untilMs && isHitOn(recording, hit, id);
}

/** Not one eviction or ejection of any server, by the events and by the table. */
export function noEviction(): Criterion {
  return criterion('no eviction', '0 evictions', (recording) => {
    const events = judgedEvents(recording);
    const evicted = events.filter(isEviction);
    const samples = recording.tables.filter(({ atMs }) => isJudged(recording, atMs));
    if (samples.length === 0) return unknown('the policy table was not seen');
    const out = samples.flatMap(({ atMs, servers }) =>
      servers
        .filter(({ state }) => state === 'evicted' || state === 'ejected')
        .map(({ id, state }) => ({ atMs, id, state })),
    );
    // The table shows for some time what an event began.
    const began = ({ atMs, id }: { atMs: number; id: string }): Trouble => {
      const event = events.findLast((each) => each.id === id && each.atMs <= atMs && isEviction(each));
      return event === undefined ? { fromMs: atMs, toMs: atMs, servers: [id] } : spanOfEvent(event);
    };
    const { verdict, notes } = weigh(recording, [...evicted.map(spanOfEvent), ...out.map(began)]);
    return {
      verdict,
      measured: `${plural(evicted.length, 'eviction')}, ${out.length} servers out in ${plural(samples.length, 'table sample')}`,
      n: samples.length,
      details: [
        ...notes,
        ...evicted.map((event) => describeEvent(recording, event)),
        ...out.map(
          ({ atMs, id, state }) => `${moment(atMs)}: ${nameOf(recording, id)} is ${state} in the table`,
        ),
      ],
    };
  });
}

/** The events that count against the proxy: after the warm-up, and while it was there. */
function judgedEvents(recording: Recording): ProxyEvent[] {
  const events = eventsOf(recording);
  const excused = [...ownTroubles(recording), ...starts(events)];
  return events.filter(
    ({ atMs }) =>
      isJudged(recording, atMs) && !excused.some(({ fromMs, toMs }) => atMs >= fromMs && atMs <= toMs),
  );
}

function ownTroubles(recording: Recording): Span[] {
  return proxyHitsOf(recording).map(({ hit: { fromMs, healedMs } }) => ({
    fromMs,
    toMs: (healedMs ?? Number.POSITIVE_INFINITY) + AFTERMATH_MS,
  }));
}

// Boot 0 was there before the recording: that this begins with some event does not mean that the proxy began then.
function starts(events: readonly ProxyEvent[]): Span[] {
  return events
    .filter(({ boot }, at) => boot > 0 && boot !== events[at - 1]?.boot)
    .map(({ atMs }) => ({ fromMs: atMs, toMs: atMs + START_MS }));
}
