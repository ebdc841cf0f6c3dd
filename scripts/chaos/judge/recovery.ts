// pure · how soon there are answers: after an outage of a policy, and from servers that are new.
// Must never take silence up to the end of a recording for an answer.

import { CannotTell } from '../../kit/verdict.ts';
import type { Recording, RequestRow } from '../journal.ts';
import type { FaultKind } from '../plan.ts';
import {
  type Assessment,
  type Criterion,
  criterion,
  millis,
  moment,
  nameOf,
  worstLines,
} from './criterion.ts';
import { weigh } from './machine.ts';
import { DEADLY, policyOutages } from './policy-outages.ts';
import { tableAt } from './queries.ts';
import { endMsOf, requestIndex } from './request-index.ts';
import { eventsOf } from './server-events.ts';

/** A delay until something was answered; `Infinity` when it never was. */
type Delay = { what: string; atMs: number; afterMs: number };

/** After all servers of a policy were gone: the first ok within `maxMs` after the first of them listens again. */
export function firstOkAfter({
  maxMs = 600,
  kinds = DEADLY,
}: {
  maxMs?: number;
  kinds?: readonly FaultKind[];
} = {}): Criterion {
  return criterion(
    'first answer after the outage',
    `≤ ${millis(maxMs)} after a server listens`,
    (recording) => {
      const outages = policyOutages(recording, kinds).filter(({ listensMs }) => Number.isFinite(listensMs));
      const delays = outages.map(({ policy, listensMs }) => ({
        what: `policy ${policy}`,
        atMs: listensMs,
        afterMs: firstOkMs(requestIndex(recording).byPolicy.get(policy), listensMs) - listensMs,
      }));
      if (delays.length === 0) throw new CannotTell('no policy lost all its servers and got one back');
      return assessDelays(recording, delays, maxMs);
    },
  );
}

/** Each server that a scale-up added answers its first request within `maxMs` after it registered. */
export function newServersServe({ maxMs = 1000 }: { maxMs?: number } = {}): Criterion {
  return criterion('new servers serve', `≤ ${millis(maxMs)} after they registered`, (recording) => {
    const scales = recording.faults.filter(({ kind }) => kind === 'scale');
    if (scales.length === 0) throw new CannotTell('nothing was scaled');
    const injectMs = Math.min(...scales.map((fault) => fault.injectMs));
    const known = new Set(tableAt(recording, injectMs).servers.map(({ id }) => id));
    const registered = new Map<string, number>();
    for (const { type, id, atMs } of eventsOf(recording)) {
      const isNew = type === 'registered' && atMs >= injectMs && !known.has(id) && !registered.has(id);
      if (isNew) registered.set(id, atMs);
    }
    if (registered.size === 0) throw new CannotTell('no new server registered');
    const delays = [...registered].map(([id, atMs]) => ({
      what: nameOf(recording, id),
      atMs,
      afterMs: firstOkMs(requestIndex(recording).byServer.get(id), atMs) - atMs,
    }));
    return assessDelays(recording, delays, maxMs);
  });
}

/** The end of the first ok that ended at or after a moment; `Infinity` when none did. */
function firstOkMs(rows: readonly RequestRow[] | undefined, fromMs: number): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (const request of rows ?? []) {
    const endMs = endMsOf(request);
    if (request.outcome === 'ok' && endMs >= fromMs && endMs < earliest) earliest = endMs;
  }
  return earliest;
}

function assessDelays(recording: Recording, delays: readonly Delay[], maxMs: number): Assessment {
  const late = delays.filter(({ afterMs }) => afterMs > maxMs);
  // Silence up to the end of a recording that ends too soon says nothing.
  const isOpen = ({ atMs, afterMs }: Delay): boolean =>
    !Number.isFinite(afterMs) && recording.endedMs < atMs + maxMs;
  const max = Math.max(...delays.map(({ afterMs }) => afterMs));
  const { verdict, notes } = weigh(
    recording,
    late
      .filter((delay) => !isOpen(delay))
      .map(({ atMs, afterMs }) => {
        const toMs = Math.min(atMs + afterMs, recording.endedMs);
        return { fromMs: atMs, toMs, excessMs: toMs - atMs - maxMs };
      }),
  );
  return {
    verdict: verdict === 'pass' && late.length > 0 ? 'unknown' : verdict,
    measured: `${Number.isFinite(max) ? `max ${millis(max)}` : 'not answered at all'}, n = ${delays.length}`,
    n: delays.length,
    details: [
      ...notes,
      ...worstLines(
        delays,
        ({ afterMs }) => afterMs,
        ({ what, atMs, afterMs }) =>
          `${what}, back at ${moment(atMs)}: ${Number.isFinite(afterMs) ? `answered after ${millis(afterMs)}` : 'not answered'}`,
      ),
    ],
  };
}
