// pure · how soon healed servers are back, and under the policy they belong to.
// Must never take the readmission after a later fault for that of an earlier one.

import type { Hit, ProxyEvent, Recording } from '../journal.ts';
import type { FaultKind } from '../plan.ts';
import { type Assessment, type Criterion, criterion, millis, worstLines } from './criterion.ts';
import { deadlineOf, describeHit, nextHitMs } from './detection.ts';
import { READMISSION_LIMIT_MS } from './limits.ts';
import { type Trouble, weigh } from './machine.ts';
import { DEADLY } from './policy-outages.ts';
import { type FaultHit, requireHits, requireServer, serverHitsOf } from './queries.ts';
import { eventsOf, eventsOfServer, firstOf, firstOut } from './server-events.ts';

type Return = FaultHit & { event: ProxyEvent; afterMs: number };
type Outcomes = { back: Return[]; missing: FaultHit[]; open: string[] };

/** Every server that a hit took out is admitted again within `maxMs` after it was healed. */
export function readmission({
  kinds,
  maxMs = READMISSION_LIMIT_MS,
}: {
  kinds: readonly FaultKind[];
  maxMs?: number;
}): Criterion {
  return criterion(`readmission after ${kinds.join(', ')}`, `max ≤ ${millis(maxMs)}`, (recording) => {
    eventsOf(recording);
    const outcomes: Outcomes = { back: [], missing: [], open: [] };
    for (const each of requireHits(serverHitsOf(recording, kinds), kinds))
      sortOut(recording, each, maxMs, outcomes);
    return assess(recording, outcomes, maxMs);
  });
}

function sortOut(recording: Recording, each: FaultHit, maxMs: number, outcomes: Outcomes): void {
  requireServer(each.hit);
  const absence = absenceOf(recording, each);
  if (absence === null) return;
  const { healedMs } = each.hit;
  if (healedMs === null) {
    outcomes.open.push(`${describeHit(each)}: never healed`);
    return;
  }
  const { back, untilMs } = absence;
  if (back !== null) outcomes.back.push({ ...each, ...back });
  else if (Math.min(untilMs, recording.endedMs) < healedMs + maxMs) {
    const why = untilMs < recording.endedMs ? 'hit again' : 'the recording ends';
    outcomes.open.push(`${describeHit(each)}: ${why} before it had to be back`);
  } else outcomes.missing.push(each);
}

/**
 * What became of a hit's server after it was taken out: null when the hit took nobody out; `back` is null when it was
 * not seen to come back before `untilMs`, when it was hit again. `afterMs` counts from its healing, and of one that had
 * died from its registration.
 */
export function absenceOf(
  recording: Recording,
  each: FaultHit,
): { back: { event: ProxyEvent; afterMs: number } | null; untilMs: number } | null {
  const { serverId, fromMs, healMs, healedMs } = each.hit;
  const events = serverId === null ? [] : eventsOfServer(recording, serverId);
  const out = firstOut(events, fromMs, deadlineOf(recording, each));
  if (out === null) return null;
  const untilMs = nextHitMs(recording, each);
  if (healedMs === null) return { back: null, untilMs };
  // A fault that ends by itself is noted as healed when that was seen: the server may have been back for some time. One
  // that is ended by a call may have let the server come back while the call still ran. Either took no time.
  const isSelfEnding = healMs === null || healMs === healedMs;
  // After both the healing call and the event that took the server out.
  const later = events.slice(events.indexOf(out) + 1);
  const event = firstOf(later, ['admitted'], isSelfEnding ? out.atMs : healMs, untilMs);
  const possibleMs = Math.max(healedMs, event === null ? 0 : listensMs(each, events, event));
  return { back: event && { event, afterMs: Math.max(0, event.atMs - possibleMs) }, untilMs };
}

/** Who has died is there again when it has started, and says so by registering; who lived on was there all the time. */
function listensMs({ fault, hit }: FaultHit, events: readonly ProxyEvent[], back: ProxyEvent): number {
  if (!DEADLY.includes(fault.kind)) return hit.fromMs;
  const before = events.slice(0, events.indexOf(back));
  return before.findLast(({ type }) => type === 'registered')?.atMs ?? hit.fromMs;
}

function assess(recording: Recording, { back, missing, open }: Outcomes, maxMs: number): Assessment {
  const times = back.map(({ afterMs }) => afterMs);
  const max = Math.max(...times);
  const { verdict, notes } = weigh(recording, [
    ...back
      .filter(({ afterMs }) => afterMs > maxMs)
      .map(({ hit, event, afterMs }) => overdue(hit, event.atMs, afterMs - maxMs)),
    ...missing.map(({ hit }) => {
      const toMs = Math.min(nextHitMs(recording, { hit }), recording.endedMs);
      return overdue(hit, toMs, toMs - (hit.healedMs ?? toMs) - maxMs);
    }),
  ]);
  const isOpen = open.length > 0 || times.length === 0;
  return {
    verdict: verdict === 'pass' && isOpen ? 'unknown' : verdict,
    measured: [
      times.length > 0 ? `max ${millis(max)}, n = ${times.length}` : 'no server that had been out came back',
      `${missing.length} not back`,
      ...(open.length > 0 ? [`${open.length} undecided`] : []),
    ].join('; '),
    n: times.length + missing.length,
    details: [
      ...notes,
      ...missing.map((each) => `${describeHit(each)}: not admitted again`),
      ...open,
      ...worstLines(
        back,
        ({ afterMs }) => afterMs,
        (each) => `${describeHit(each)}: back ${millis(each.afterMs)} after its healing (${each.event.why})`,
      ),
    ],
  };
}

/** A server that is back too late, or not at all by `toMs`. */
export function overdue({ healedMs, serverId }: Hit, toMs: number, excessMs: number): Trouble {
  return { fromMs: healedMs ?? toMs, toMs, excessMs, ...(serverId !== null && { servers: [serverId] }) };
}
