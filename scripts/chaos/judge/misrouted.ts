// pure · requests that went to a server after it was taken out, seen in three ways: events, table samples, answers.
// Must never compare the counts of different entries of the table: each begins at 0.
import type { EventType } from '../../../services/proxy/status/events.ts';
import type { ProxyEvent, Recording, RequestRow } from '../journal.ts';
import { type Criterion, criterion, describeRequest, moment, nameOf, plural } from './criterion.ts';
import { answersOf, endMsOf } from './request-index.ts';
import { eventsOf, eventsOfServer, firstOf } from './server-events.ts';

// The clocks of the proxy and the load generator are the machine's, but each is read a moment late.
const CLOCK_SLACK_MS = 5;

// From one of these until its next event an entry gets no request. The table calls the states by the same names.
const CLOSED = ['evicted', 'ejected', 'leaving'] as const satisfies readonly EventType[];
type Closed = (typeof CLOSED)[number];

/** An event (its own state), or a sample that shows the entry closed. */
type Step = { atMs: number; sent: number; state: EventType; event: ProxyEvent | null };
type Growth = { atMs: number; id: string; count: number; how: string };

function isClosed(state: string): state is Closed {
  return (CLOSED as readonly string[]).includes(state);
}

/** Not one request went to a server that was evicted, ejected or leaving, before it was let in again. */
export function misrouted(): Criterion {
  return criterion(
    'misrouted',
    '0 requests to evicted, ejected or leaving servers',
    (recording) => {
      const outs = eventsOf(recording).filter(({ type }) => isClosed(type));
      const countOf = (closed: Closed): number => outs.filter(({ type }) => type === closed).length;
      const growths = sentGrowths(recording);
      const answered = [...new Set(outs.flatMap((event) => answersAfter(recording, event)))];
      const bySent = growths.reduce((sum, { count }) => sum + count, 0);
      return {
        verdict: bySent + answered.length === 0 ? 'pass' : 'fail',
        measured: `${bySent} by the counts of the proxy, ${answered.length} by the answers, in ${plural(countOf('evicted'), 'eviction')}, ${plural(countOf('ejected'), 'ejection')} and ${plural(countOf('leaving'), 'leave')}`,
        n: outs.length,
        details: [
          ...growths
            .sort((a, b) => b.count - a.count)
            .map(
              ({ atMs, id, count, how }) =>
                `${moment(atMs)}: ${nameOf(recording, id)} was sent ${count} ${how}`,
            ),
          ...answered.slice(0, 10).map((request) => describeRequest(recording, request)),
        ],
      };
    },
    { isUnconditional: true },
  );
}

/** Where the count of requests handed to a closed entry went up. */
function sentGrowths(recording: Recording): Growth[] {
  return [...timelines(recording)].flatMap(([key, steps]) => {
    const id = key.slice(key.lastIndexOf('\n') + 1);
    const growths: Growth[] = [];
    let last: ProxyEvent | null = null;
    // What a closed entry had been sent; null while it may be sent more.
    let ceiling: number | null = null;
    let closedBy: EventType | null = null;
    for (const { atMs, sent, state, event } of steps) {
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
      else ceiling = isClosed(state) ? sent : null;
      closedBy = state;
    }
    return growths;
  });
}

/** Each entry's events and the samples that show it closed, in order; the key ends in the server's id. */
function timelines(recording: Recording): Map<string, Step[]> {
  const steps = new Map<string, Step[]>();
  const add = (key: string, step: Step): void => {
    const known = steps.get(key);
    if (known === undefined) steps.set(key, [step]);
    else known.push(step);
  };
  for (const event of eventsOf(recording)) {
    const { boot, policy, id, atMs, sent, type } = event;
    add(`${boot}\n${policy}\n${id}`, { atMs, sent, state: type, event });
  }
  for (const { atMs, boot, servers } of recording.tables) {
    for (const { id, policy, state, sent } of servers) {
      if (isClosed(state)) add(`${boot}\n${policy}\n${id}`, { atMs, sent, state, event: null });
    }
  }
  // The events keep the order of the proxy: the sort is stable, and its clock may stand still.
  for (const list of steps.values()) list.sort((a, b) => a.atMs - b.atMs);
  return steps;
}

/**
 * Answers of a closed server to requests that were due after it was closed. One that came after the next admission may
 * have been waiting for just that, and one with several attempts may have been due long before it was sent.
 */
function answersAfter(recording: Recording, { id, atMs, boot }: ProxyEvent): RequestRow[] {
  const events = eventsOfServer(recording, id);
  const again = firstOf(events, ['admitted', 'trial'], atMs)?.atMs ?? Number.POSITIVE_INFINITY;
  const reboot = events.find((event) => event.boot > boot)?.atMs ?? Number.POSITIVE_INFINITY;
  const untilMs = Math.min(again, reboot);
  return answersOf(recording, id, atMs + CLOCK_SLACK_MS, untilMs).filter(
    (request) => request.attempts === 1 && endMsOf(request) < untilMs,
  );
}
