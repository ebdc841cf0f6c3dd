// pure · how soon the proxy listens and its table is whole again after it was brought down.

import { CannotTell } from '../../kit/verdict.ts';
import type { Recording } from '../journal.ts';
import { type Criterion, criterion, millis, nameOf, plural, worstLines } from './criterion.ts';
import { describeHit } from './detection.ts';
import { type Trouble, weigh } from './machine.ts';
import {
  type FaultHit,
  isHitOn,
  listensAgainMs,
  proxyHitsOf,
  requireHits,
  serverHitsOf,
  tableAt,
} from './queries.ts';
import { eventsOf, eventsOfServer } from './server-events.ts';

/**
 * After each restart of the proxy it listens within `maxMs` of its start, the moment at which Docker says that the process
 * runs, and within `maxMs` of its listening all its servers are admitted. How long Docker took to get there is told, and
 * is not the proxy's.
 */
export function proxyWhole({ maxMs = 2000 }: { maxMs?: number } = {}): Criterion {
  return criterion(
    'the table is whole again',
    `all servers ≤ ${millis(maxMs)} after the proxy listens, which is ≤ ${millis(maxMs)} after the start`,
    (recording) => {
      eventsOf(recording);
      const hits = requireHits(proxyHitsOf(recording), ['proxy-stop', 'proxy-kill']);
      const all = hits.flatMap((each, at) => admissionsAfter(recording, each, hits[at + 1], maxMs));
      if (all.length === 0) throw new CannotTell('no server was listed before');
      const worst = Math.max(...all.map(({ afterMs }) => afterMs));
      const late = all.filter(({ afterMs }) => afterMs > maxMs);
      const lateToListen = hits.filter((each) => tookToListenMs(recording, each) > maxMs);
      const { verdict, notes } = weigh(recording, [
        ...late.map(({ each, id, afterMs }) =>
          exceeding(recording, listensAgainMs(recording, each), afterMs, maxMs, [id]),
        ),
        ...lateToListen.map((each) =>
          exceeding(recording, each.hit.healedMs ?? 0, tookToListenMs(recording, each), maxMs),
        ),
      ]);
      return {
        verdict,
        measured: `${all.length - late.length} of ${plural(all.length, 'server')} in time, the last ${Number.isFinite(worst) ? `after ${millis(worst)}` : 'never'} (before, Docker's call took ${millis(slowestCallMs(hits))}, and the proxy ${millis(Math.max(...hits.map((each) => tookToListenMs(recording, each))))} to listen)`,
        n: hits.length,
        details: [
          ...notes,
          ...worstLines(
            all,
            ({ afterMs }) => afterMs,
            ({ each, id, afterMs }) =>
              `${describeHit(each)}: ${nameOf(recording, id)} ${Number.isFinite(afterMs) ? `admitted after ${millis(afterMs)}` : 'not admitted'}`,
          ),
        ],
      };
    },
  );
}

function exceeding(
  { endedMs }: Recording,
  fromMs: number,
  afterMs: number,
  maxMs: number,
  servers?: string[],
): Trouble {
  const toMs = Math.min(fromMs + afterMs, endedMs);
  return { fromMs, toMs, excessMs: toMs - fromMs - maxMs, ...(servers && { servers }) };
}

/** From when the process ran, as Docker says, until it answered. */
function tookToListenMs(recording: Recording, each: FaultHit): number {
  return listensAgainMs(recording, each) - (each.hit.healedMs ?? 0);
}

function slowestCallMs(hits: readonly FaultHit[]): number {
  return Math.max(...hits.map(({ hit: { healMs, healedMs } }) => (healedMs ?? 0) - (healMs ?? 0)));
}

type Admission = { each: FaultHit; id: string; afterMs: number };

/** When each server known before was admitted by the new boot; those that are hit before they had to be don't count. */
function admissionsAfter(
  recording: Recording,
  each: FaultHit,
  next: FaultHit | undefined,
  maxMs: number,
): Admission[] {
  const { fromMs, healedMs } = each.hit;
  if (healedMs === null) throw new CannotTell(`${describeHit(each)}: never started again`);
  const { boot, servers } = tableAt(recording, fromMs);
  const untilMs = next?.hit.fromMs ?? Number.POSITIVE_INFINITY;
  const listensMs = listensAgainMs(recording, each);
  const down = serverHitsOf(recording).filter(
    ({ hit }) => hit.fromMs <= listensMs + maxMs && (hit.healedMs ?? Number.POSITIVE_INFINITY) >= fromMs,
  );
  return servers
    .filter(({ id }) => !down.some(({ hit }) => isHitOn(recording, hit, id)))
    .map(({ id }) => {
      const admitted = eventsOfServer(recording, id).find(
        (event) =>
          event.type === 'admitted' && event.boot > boot && event.atMs >= fromMs && event.atMs < untilMs,
      );
      const afterMs = (admitted?.atMs ?? Number.POSITIVE_INFINITY) - listensMs;
      return { each, id, afterMs: Math.max(0, afterMs) };
    });
}
