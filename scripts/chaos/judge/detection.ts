// pure · how soon a server that was hit is out of rotation, and how the requests to it fare until then.

import { percentile } from '../../kit/percentile.ts';
import { CannotTell } from '../../kit/verdict.ts';
import { plural } from '../../kit/words.ts';
import type { RequestRow } from '../journal.ts';
import type { FaultKind } from '../plan.ts';
import { assessDelays, assessRequests, type Criterion, type Delay } from './judge.ts';
import { REQUEST_TIMEOUT_MS } from './limits.ts';
import { CERTAIN, leastMs } from './machine.ts';
import {
  firstOf,
  millis,
  type Observations,
  overlaps,
  type ServerHit,
  slowestMs,
  wasOutBefore,
  wentWell,
} from './observations.ts';

/** Fewer trials than this bound no 95th percentile with 95 % confidence (0.95^59 < 0.05). */
const TRIALS_FOR_P95 = 59;
/** How many requests a server may get after the first that it failed, and for how long it may stay in rotation. */
const MAX_FURTHER = 5;
const OUT_BY_TRAFFIC_MS = 2000;
/** Requests that were under way when the fault struck. */
const IN_FLIGHT_MS = 50;

type DelayLimit = {
  kinds: readonly FaultKind[];
  /** Judged by the nearest rank, however few hits there are; with fewer than 20 that is the slowest. */
  p95Ms?: number;
  maxMs: number;
  /** Hits that last less than `maxMs` need not be noticed. */
  mayMiss?: boolean;
};

/** From the hit until the server gets no request any more: taken out, or suspect and then taken out. */
export function detection({ kinds, p95Ms = Infinity, maxMs, mayMiss = false }: DelayLimit): Criterion {
  const p95Limit = Number.isFinite(p95Ms) ? `p95 ≤ ${millis(p95Ms)}, ` : '';
  const missLimit = mayMiss ? ` that lasts ${millis(maxMs)}` : '';
  return {
    name: `detection of ${kinds.join(', ')}`,
    limit: `${p95Limit}max ≤ ${millis(maxMs)}, none missed${missLimit}`,
    assess(seen) {
      const outcomes = seen.hitsOf(kinds).map((each) => outcomeOf(seen, each, maxMs));
      const delays = outcomes.filter((outcome) => typeof outcome === 'object');
      const countOf = (kind: Outcome): number => outcomes.filter((outcome) => outcome === kind).length;
      const [excused, undecided] = [countOf('excused'), countOf('undecided')];
      const noticed = delays.filter(({ afterMs }) => Number.isFinite(afterMs));
      const missed = delays.filter(({ afterMs }) => !Number.isFinite(afterMs));
      const tooShort = mayMiss ? missed.filter(({ isShort }) => isShort) : [];
      const judged = assessDelays(
        seen,
        delays.filter((each) => !tooShort.includes(each)),
        maxMs,
      );
      const times = noticed.map(({ afterMs }) => afterMs);
      const p95 = percentile(times, 95);
      const leastP95 = percentile(
        noticed.map(({ fromMs, afterMs }) => leastMs(seen.recording, fromMs, afterMs)),
        95,
      );
      return {
        measured: [
          ...(times.length === 0
            ? ['none noticed']
            : [`p95 ${millis(p95)}, max ${millis(Math.max(...times))}, ${trials(times.length)}`]),
          `${missed.length} missed${tooShort.length > 0 ? ` (${tooShort.length} of them shorter than ${millis(maxMs)})` : ''}`,
          ...(excused > 0 ? [`${excused} not counted (out already, or the proxy was not there)`] : []),
          ...(undecided > 0 ? [`${undecided} too near to the end, or not proven`] : []),
          ...(p95 > p95Ms ? [`p95 ${millis(leastP95)} without what the machine took`] : []),
        ].join('; '),
        n: times.length + (mayMiss ? missed.length : 0),
        troubles: [...judged.troubles, ...(leastP95 > p95Ms ? [CERTAIN] : [])],
        isOpen: undecided > 0 || delays.length === 0 || p95 > p95Ms,
        details: judged.details,
      };
    },
  };
}

/** How a hit was noticed, or not; `excused`: it could not be; `undecided`: nothing shows whether it was. */
type Outcome = (Delay & { isShort: boolean }) | 'excused' | 'undecided';

function outcomeOf(seen: Observations, each: ServerHit, maxMs: number): Outcome {
  const { out, events, struckMs, untilMs } = each;
  const { fromMs, healMs } = each.hit;
  const { endedMs } = seen.recording;
  const isShort = healMs !== null && healMs - fromMs < maxMs;
  const delay = { what: `${each.what}:`, fromMs: struckMs, isShort };
  if (out !== null)
    return { ...delay, verb: out.type, afterMs: Math.max(0, out.atMs - struckMs), why: out.why };
  if (!each.fault.isProven) return 'undecided';
  const isExcused =
    wasOutBefore(events, fromMs) || overlaps({ sentMs: fromMs, endMs: untilMs }, seen.proxyOutages);
  if (isExcused) return 'excused';
  if (endedMs < Math.min(untilMs, fromMs + maxMs)) return 'undecided';
  const never = { verb: 'noticed', afterMs: Number.POSITIVE_INFINITY, isDue: true };
  return { ...delay, ...never, untilMs: Math.min(untilMs, endedMs) };
}

/** How many trials a percentile rests on, and whether that is enough. */
function trials(n: number): string {
  if (n >= TRIALS_FOR_P95) return `n = ${n}`;
  const isMax = n < 20 ? 'so p95 is the maximum; ' : '';
  return `n = ${n} (${isMax}a bound on p95 needs ${plural(TRIALS_FOR_P95, 'trial')})`;
}

/** The hits of proven faults: what the others did is not known. */
function provenHits(seen: Observations, kinds: readonly FaultKind[]): ServerHit[] {
  const hits = seen.hitsOf(kinds).filter(({ fault }) => fault.isProven);
  if (hits.length === 0) throw new CannotTell(`no fault of this kind is proven: ${kinds.join(', ')}`);
  return hits;
}

/** Until a hit server is evicted, every request of its policy is answered within the deadline: by another, then. */
export function answeredByAnother({ kinds }: Pick<DelayLimit, 'kinds'>): Criterion {
  const excessOf = (request: RequestRow): number =>
    wentWell(request) ? request.latencyMs - REQUEST_TIMEOUT_MS : Number.POSITIVE_INFINITY;
  return {
    name: `answered by another at ${kinds.join(', ')}`,
    limit: `all ok within ${millis(REQUEST_TIMEOUT_MS)}`,
    assess(seen) {
      const windows = provenHits(seen, kinds).map((each) => requestsUntilOut(seen, each));
      if (windows.some(({ length }) => length === 0))
        throw new CannotTell('no request was due until the eviction');
      // Two servers of one policy may be hit at once: each request counts once.
      const caught = [...new Set(windows.flat())];
      const bad = caught.filter((request) => excessOf(request) > 0);
      const measured = `${bad.length} of ${plural(caught.length, 'request')} not ok in time, the slowest ${millis(slowestMs(caught))}`;
      return { ...assessRequests(seen, bad, excessOf), measured, n: caught.length };
    },
  };
}

function requestsUntilOut(seen: Observations, { hit, events }: ServerHit): readonly RequestRow[] {
  const { policy, fromMs, healMs, healedMs } = hit;
  const out = firstOf(events, ['evicted', 'ejected'], fromMs, healedMs ?? Infinity);
  const untilMs = out?.atMs ?? healMs ?? healedMs ?? seen.recording.endedMs;
  return seen.requestsIn(fromMs - IN_FLIGHT_MS, untilMs, policy);
}

/** A server that fails real requests is taken out in time, and gets few more once the first one has failed. */
export const outByTraffic: Criterion = {
  name: 'taken out for unanswered requests',
  limit: `≤ ${plural(MAX_FURTHER, 'request')} from the first failure to its end, which is ≤ ${millis(OUT_BY_TRAFFIC_MS)} after the hit`,
  assess(seen) {
    const all = provenHits(seen, ['mute']).map(failingOf);
    const judged = assessDelays(seen, all, OUT_BY_TRAFFIC_MS);
    const counts = all.map(({ further }) => further).filter((further) => further !== null);
    const tooMany = all.filter(({ further }) => (further ?? 0) > MAX_FURTHER);
    return {
      ...judged,
      measured: `${counts.length > 0 ? Math.max(...counts) : 'an unknown number of'} further; ${judged.measured}`,
      troubles: [
        ...judged.troubles,
        ...tooMany.map(({ fromMs, afterMs }) => ({ fromMs, toMs: fromMs + afterMs })),
      ],
      isOpen: judged.isOpen || counts.length < all.length,
    };
  },
};

/** `further`: requests that it got after the first failure; null when no event shows when that was. */
function failingOf({
  hit: { fromMs },
  what,
  struckMs,
  events,
}: ServerHit): Delay & { further: number | null } {
  const out = firstOf(events, ['ejected', 'evicted'], fromMs);
  const delay = { what: `${what}:`, verb: 'taken out', fromMs: struckMs };
  if (out === null) return { ...delay, further: 0, afterMs: Number.POSITIVE_INFINITY };
  const noticed = firstOf(events.slice(0, events.indexOf(out)), ['suspect'], fromMs);
  const further = noticed === null ? null : out.sent - noticed.sent;
  const why = `${further ?? 'an unknown number of'} further, ${out.why}`;
  return { ...delay, further, afterMs: Math.max(0, out.atMs - struckMs), why };
}
