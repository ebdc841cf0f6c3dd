// pure · requests that went to a server after it was taken out, seen in three ways: events, table samples, answers.

import type { EventType } from '../../../services/proxy/status/events.ts';
import type { ProxyEvent } from '../../kit/proxy-events.ts';
import { plural } from '../../kit/words.ts';
import type { RequestRow } from '../journal.ts';
import { assessRequests, type Criterion, worstFirst } from './judge.ts';
import { CERTAIN } from './machine.ts';
import { endMsOf, firstOf, moment, type Observations } from './observations.ts';

// The clocks of the proxy and the load generator are the machine's, but each is read a moment late.
const CLOCK_SLACK_MS = 5;

// From one of these until its next event an entry gets no request. The table calls the states by the same names.
const CLOSED: readonly string[] = ['evicted', 'ejected', 'leaving'] satisfies EventType[];

/** An event (its own state), or a sample that shows the entry closed. */
type Step = Pick<ProxyEvent, 'atMs' | 'boot' | 'policy' | 'id' | 'sent'> & {
  state: string;
  event: ProxyEvent | null;
};
type Growth = { atMs: number; id: string; count: number; how: string };

/** Not one request went to a server that was evicted, ejected or leaving, before it was let in again. */
export const misrouted: Criterion = {
  name: 'misrouted',
  limit: '0 requests to evicted, ejected or leaving servers',
  isUnconditional: true,
  assess(seen) {
    const outs = seen.requireEvents().filter(({ type }) => CLOSED.includes(type));
    const countOf = (closed: EventType, noun: string): string =>
      plural(outs.filter(({ type }) => type === closed).length, noun);
    const growths = sentGrowths(seen);
    // With several proxies an answer does not say whose it was: for another one the server may have been ready.
    const isOnly = seen.recording.others.length === 0;
    const answered = [...new Set(isOnly ? outs.flatMap((event) => answersAfter(seen, event)) : [])];
    const bySent = growths.reduce((sum, { count }) => sum + count, 0);
    const lines = worstFirst(growths, ({ count }) => count).map(
      ({ atMs, id, count, how }) => `${moment(atMs)}: ${seen.nameOf(id)} was sent ${count} ${how}`,
    );
    return {
      measured: `${bySent} by the counts of the proxy, ${answered.length} by the answers, in ${countOf('evicted', 'eviction')}, ${countOf('ejected', 'ejection')} and ${countOf('leaving', 'leave')}`,
      n: outs.length,
      troubles: [...growths, ...answered].map(() => CERTAIN),
      details: [...lines, ...assessRequests(seen, answered).details],
    };
  },
};

/** Where the count of requests handed to a closed entry went up. */
function sentGrowths(seen: Observations): Growth[] {
  return timelines(seen).flatMap((steps) => {
    const growths: Growth[] = [];
    let last: ProxyEvent | null = null;
    // What a closed entry had been sent; null while it may be sent more.
    let ceiling: number | null = null;
    let closedBy = '';
    for (const { atMs, id, sent, state, event } of steps) {
      // A sample that contradicts the latest event was taken before it.
      if (event === null && last !== null && last.type !== state) continue;
      // A new entry begins at 0, and so does the count of a `registered` that is lower.
      const isNewEntry = event?.type === 'registered' && ceiling !== null && sent < ceiling;
      if (ceiling !== null && !isNewEntry && sent > ceiling) {
        const how = event === null ? `while ${state}, by the table` : `between ${closedBy} and ${event.type}`;
        growths.push({ atMs, id, count: sent - ceiling, how });
      }
      if (event !== null) last = event;
      if (event === null) ceiling = Math.max(sent, ceiling ?? 0);
      else ceiling = CLOSED.includes(state) ? sent : null;
      closedBy = state;
    }
    return growths;
  });
}

/** Each entry's events and the samples that show it closed, in order. */
function timelines(seen: Observations): Step[][] {
  const fromEvents = seen.requireEvents().map((event): Step => ({ ...event, state: event.type, event }));
  const fromTables = seen.recording.tables.flatMap(({ atMs, boot, servers }) =>
    servers
      .filter(({ state }) => CLOSED.includes(state))
      .map((server): Step => ({ ...server, atMs, boot, event: null })),
  );
  // The events keep the order of the proxy: the sort is stable, and its clock may stand still.
  const steps = [...fromEvents, ...fromTables].sort((a, b) => a.atMs - b.atMs);
  return [...Map.groupBy(steps, ({ boot, policy, id }) => `${boot}\n${policy}\n${id}`).values()];
}

/**
 * Answers of a closed server to requests that were due after it was closed. One that came after the next admission may
 * have been waiting for just that, and one with several attempts may have been due long before it was sent.
 */
function answersAfter(seen: Observations, { id, atMs, boot }: ProxyEvent): RequestRow[] {
  const events = seen.eventsOf(id);
  const again = firstOf(events, ['admitted', 'trial'], atMs)?.atMs ?? Number.POSITIVE_INFINITY;
  const reboot = events.find((event) => event.boot > boot)?.atMs ?? Number.POSITIVE_INFINITY;
  const untilMs = Math.min(again, reboot);
  return seen
    .answersOf(id, atMs + CLOCK_SLACK_MS, untilMs)
    .filter((request) => request.attempts === 1 && endMsOf(request) < untilMs);
}
