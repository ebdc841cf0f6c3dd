// pure · whether what no fault has hit went on as before: latencies during the faults against the control phase.

import { percentile } from '../../kit/percentile.ts';
import { CannotTell } from '../../kit/verdict.ts';
import { plural } from '../../kit/words.ts';
import { FAULT_FACTS } from '../faults/facts.ts';
import type { FaultRecord, RequestRow } from '../journal.ts';
import { isOnProxies } from '../plan.ts';
import { type Assessment, assessRequests, type Criterion } from './judge.ts';
import { CERTAIN, leastMs } from './machine.ts';
import { isIn, millis, type Observations, type Span, wentWell } from './observations.ts';

const AFTER_HEAL_MS = 1000;
/** Until Node has started in a container that Docker has. */
const AFTER_CALL_MS = 500;
/** A p99 of fewer would be their maximum. */
const ENOUGH = 100;

/** p99 may be so many times that of the control phase, or so much above it: on a small machine it varies. */
const FACTOR = 1.5;
const FLOOR_MS = 10;
const LIMIT = `p99 ≤ the greater of ${FACTOR} × control and control + ${millis(FLOOR_MS)}`;

/** Policies without any hit: no error at all, and the latency of the control phase. It does not apply without any. */
export const othersUntouched: Criterion = {
  name: 'policies without a fault',
  limit: `no error, ${LIMIT}`,
  assess(seen) {
    const { plan, faults } = seen.recording;
    if (plan.faults.length === 0) return null;
    seen.requireSent();
    const isAnyHit = faults.some(isOnProxies) || seen.proxyHits.length > 0;
    const hit = isAnyHit ? plan.policies : faults.flatMap((fault) => seen.policiesOf(fault));
    const others = plan.policies.filter((policy) => !hit.includes(policy));
    if (others.length === 0) return null;
    const sent = others.flatMap((policy) => seen.requestsIn(seen.warmUpEndMs, Infinity, policy));
    const bad = sent.filter((request) => !wentWell(request));
    if (bad.length === 0) return worstOf(others.map((policy) => compare(seen, policy, () => true)));
    const measured = `${bad.length} of ${plural(sent.length, 'request')} went wrong`;
    return { ...assessRequests(seen, bad), measured, n: sent.length };
  },
};

/** Every policy's requests that were answered by servers without a hit: the latency of the control phase. */
export const latencyOfOthers: Criterion = {
  name: 'latency of servers without a fault',
  limit: LIMIT,
  assess(seen) {
    const hitIds = new Set(seen.serverHits.map(({ hit }) => hit.serverId));
    if (hitIds.size === 0) throw new CannotTell('no server was hit');
    const isOther = ({ outcome, detail }: RequestRow): boolean => outcome === 'ok' && !hitIds.has(detail);
    // Where every server of a policy is hit, there are no others.
    const control = seen.requestsOfPhase(seen.phase('control')).filter(isOther);
    const policies = new Set(control.map(({ policy }) => policy));
    return worstOf([...policies].map((policy) => compare(seen, policy, isOther)));
  },
};

/** The comparison of one policy; `excessMs` ranks it among others. */
type Comparison = Assessment & { limit: string; excessMs: number };

function compare(
  seen: Observations,
  policy: string,
  isCounted: (request: RequestRow) => boolean,
): Comparison {
  const { recording } = seen;
  if (recording.faults.length === 0) throw new CannotTell('no fault was recorded');
  const windows = recording.faults.map((fault) => seen.windowOf(fault));
  const fromMs = Math.min(...windows.map((window) => window.fromMs));
  const toMs = Math.max(...windows.map((window) => window.toMs)) + AFTER_HEAL_MS;
  const isCompared = (request: RequestRow): boolean =>
    request.policy === policy && request.outcome === 'ok' && isCounted(request);
  const all = seen.requestsIn(fromMs, toMs, policy).filter(isCompared);
  const calls = recording.faults.flatMap(dockerAtWork);
  const undisturbed = all.filter(({ dueMs }) => !isIn(dueMs, calls));
  const during = undisturbed.length >= ENOUGH ? undisturbed : all;
  const control = seen.requestsOfPhase(seen.phase('control')).filter(isCompared);
  if (during.length === 0 || control.length === 0) {
    const where = control.length === 0 ? 'in the control phase' : 'during the faults';
    const measured = `policy ${policy}: no answer to compare ${where}`;
    return { measured, limit: LIMIT, n: 0, isOpen: true, excessMs: 0 };
  }
  const p99Of = (requests: readonly RequestRow[]): number =>
    percentile(
      requests.map(({ latencyMs }) => latencyMs),
      99,
    );
  const [p99, controlP99] = [p99Of(during), p99Of(control)];
  const least = during.map(({ dueMs, latencyMs }) => leastMs(recording, dueMs, latencyMs));
  const leastP99 = percentile(least, 99);
  const limitMs = Math.max(FACTOR * controlP99, controlP99 + FLOOR_MS);
  return {
    measured: `policy ${policy}: p99 ${millis(p99)} (n = ${during.length}; ${millis(p99Of(all))} with the moments in which Docker was at work, n = ${all.length}; ${millis(leastP99)} without what the machine took), control ${millis(controlP99)} (n = ${control.length})`,
    limit: `p99 ≤ ${millis(limitMs)}: the greater of ${FACTOR} × ${millis(controlP99)} and ${millis(controlP99)} + ${millis(FLOOR_MS)}`,
    n: during.length,
    troubles: leastP99 > limitMs ? [CERTAIN] : [],
    isOpen: p99 > limitMs,
    excessMs: p99 - limitMs,
  };
}

/**
 * From a call to Docker until what it has started is up. While Docker itself kills or starts a container it takes a
 * processor for half a second: that is the tool's own disturbance, not the fault's.
 */
function dockerAtWork({ kind, injectMs, injectedMs, healMs, healedMs, hits }: FaultRecord): Span[] {
  const restarts = FAULT_FACTS[kind].isRestartedByDocker ? hits : [];
  const calls = [
    { fromMs: injectMs, toMs: injectedMs },
    { fromMs: healMs, toMs: healedMs },
    ...restarts.map((hit) => ({ fromMs: hit.fromMs, toMs: hit.healedMs })),
  ];
  return calls.flatMap(({ fromMs, toMs }) =>
    fromMs === null ? [] : { fromMs, toMs: (toMs ?? fromMs) + AFTER_CALL_MS },
  );
}

/** The worst comparison, with all of them in its details: a failure, else one that is open, else the slowest. */
function worstOf(comparisons: readonly Comparison[]): Assessment {
  const rank = ({ troubles = [], isOpen = false }: Comparison): number =>
    2 * troubles.length + Number(isOpen);
  const ranked = comparisons.toSorted((a, b) => rank(b) - rank(a) || b.excessMs - a.excessMs);
  const [worst] = ranked;
  if (worst === undefined) throw new CannotTell('nothing to compare');
  return { ...worst, details: ranked.map(({ measured, limit }) => `${measured}; ${limit}`) };
}
