// pure · whether those that no fault has hit went on as before: latencies in the faults against the control phase.
// Must never compare different policies, or count requests without an answer as fast ones.
// While Docker itself kills or starts a container it takes a processor for half a second: that is the tool's own
// disturbance, not the fault's, so requests due then are told but not compared.

import { percentile } from '../../kit/percentile.ts';
import { worstVerdict } from '../../kit/verdict.ts';
import type { FaultRecord, Recording, RequestRow } from '../journal.ts';
import {
  type Assessment,
  type Criterion,
  criterion,
  describeRequest,
  millis,
  plural,
  unknown,
} from './criterion.ts';
import { leastMs, weigh } from './machine.ts';
import {
  faultSpan,
  hitPolicies,
  phaseNamed,
  requestsOfPhase,
  requireRequests,
  requireServer,
  type Span,
  serverHitsOf,
  warmUpEndMs,
} from './queries.ts';
import { requestIndex, requestsIn, spanOf, wentWell } from './request-index.ts';

const AFTER_HEAL_MS = 1000;
/** Until Node has started in a container that Docker has. */
const AFTER_CALL_MS = 500;
/** A p99 of fewer would be their maximum. */
const ENOUGH = 100;

/** p99 may be `factor` times that of the control phase, or `floorMs` above it: on a small machine it varies. */
export type LatencyLimit = { factor?: number; floorMs?: number };
type Comparison = Assessment & { excess: number };

const words = ({ factor = 1.5, floorMs = 10 }: LatencyLimit): string =>
  `p99 ≤ the greater of ${factor} × control and control + ${millis(floorMs)}`;

/** Policies without any hit: no error at all, and the latency of the control phase. */
export function othersUntouched(options: LatencyLimit = {}): Criterion {
  return criterion('policies without a fault', `no error, ${words(options)}`, (recording) => {
    if (recording.plan.faults.length === 0)
      return { verdict: 'pass', measured: 'no fault was planned', n: 0 };
    requireRequests(requestIndex(recording).sent, 'was sent');
    const hit = hitPolicies(recording);
    const others = recording.plan.policies.filter((policy) => !hit.has(policy));
    if (others.length === 0) return { verdict: 'pass', measured: 'every policy was hit', n: 0 };
    const sent = others.flatMap((policy) =>
      requestsIn(recording, warmUpEndMs(recording), Number.POSITIVE_INFINITY, policy),
    );
    const bad = sent.filter((request) => !wentWell(request));
    if (bad.length > 0) {
      const { verdict, notes } = weigh(recording, bad.map(spanOf));
      const measured = `${bad.length} of ${plural(sent.length, 'request')} went wrong`;
      const details = [...notes, ...bad.slice(0, 10).map((request) => describeRequest(recording, request))];
      return { verdict, measured, n: sent.length, details };
    }
    return worstOf(others.map((policy) => compare(recording, policy, () => true, options)));
  });
}

/** Every policy's requests that were answered by servers without a hit: the latency of the control phase. */
export function latencyOfOthers(options: LatencyLimit = {}): Criterion {
  return criterion('latency of servers without a fault', words(options), (recording) => {
    const hits = serverHitsOf(recording);
    if (hits.length === 0) return unknown('no server was hit');
    const hitIds = new Set(hits.map(({ hit }) => requireServer(hit).id));
    const isOther = ({ outcome, detail }: RequestRow): boolean => outcome === 'ok' && !hitIds.has(detail);
    const control = phaseNamed(recording, 'control');
    // Where every server of a policy is hit, there are no others.
    const policies = new Set(
      requestsOfPhase(recording, control)
        .filter(isOther)
        .map(({ policy }) => policy),
    );
    return worstOf([...policies].map((policy) => compare(recording, policy, isOther, options)));
  });
}

function compare(
  recording: Recording,
  policy: string,
  isCounted: (request: RequestRow) => boolean,
  { factor = 1.5, floorMs = 10 }: LatencyLimit,
): Comparison {
  const span = faultSpan(recording);
  const isCompared = (request: RequestRow): boolean =>
    request.policy === policy && request.outcome === 'ok' && isCounted(request);
  const all = requestsIn(recording, span.fromMs, span.toMs + AFTER_HEAL_MS, policy).filter(isCompared);
  const undisturbed = outside(all, recording.faults.flatMap(dockerAtWork));
  const during = undisturbed.length >= ENOUGH ? undisturbed : all;
  const control = requestsOfPhase(recording, phaseNamed(recording, 'control')).filter(isCompared);
  if (during.length === 0 || control.length === 0) {
    const where = control.length === 0 ? 'in the control phase' : 'during the faults';
    return { ...unknown(`policy ${policy}: no answer to compare ${where}`), excess: 0 };
  }
  const p99 = p99Of(during);
  const controlP99 = p99Of(control);
  const limitMs = Math.max(factor * controlP99, controlP99 + floorMs);
  const least = during.map(({ dueMs, latencyMs }) => leastMs(recording, dueMs, latencyMs));
  const leastP99 = percentile(least, 99);
  return {
    verdict: p99 <= limitMs ? 'pass' : leastP99 <= limitMs ? 'unknown' : 'fail',
    measured: `policy ${policy}: p99 ${millis(p99)} (n = ${during.length}; ${millis(p99Of(all))} with the moments in which Docker was at work, n = ${all.length}; ${millis(leastP99)} without what the machine took), control ${millis(controlP99)} (n = ${control.length})`,
    limit: `p99 ≤ ${millis(limitMs)}: the greater of ${factor} × ${millis(controlP99)} and ${millis(controlP99)} + ${millis(floorMs)}`,
    n: during.length,
    excess: p99 - limitMs,
  };
}

/** From a call to Docker until what it has started is up; what ends by itself, Docker starts again by itself. */
function dockerAtWork({ kind, injectMs, injectedMs, healMs, healedMs, hits }: FaultRecord): Span[] {
  const restarts = kind === 'exit' ? hits.map((hit) => [hit.fromMs, hit.healedMs] as const) : [];
  return [[injectMs, injectedMs] as const, [healMs, healedMs] as const, ...restarts].flatMap(
    ([fromMs, toMs]) => (fromMs === null ? [] : [{ fromMs, toMs: (toMs ?? fromMs) + AFTER_CALL_MS }]),
  );
}

function outside(requests: readonly RequestRow[], spans: readonly Span[]): readonly RequestRow[] {
  return requests.filter(({ dueMs }) => !spans.some(({ fromMs, toMs }) => dueMs >= fromMs && dueMs <= toMs));
}

function p99Of(requests: readonly RequestRow[]): number {
  return percentile(
    requests.map(({ latencyMs }) => latencyMs),
    99,
  );
}

/** The worst comparison, with all of them in its details. */
function worstOf(comparisons: readonly Comparison[]): Assessment {
  const verdict = worstVerdict(comparisons.map((each) => each.verdict));
  const ranked = [...comparisons].sort((a, b) => b.excess - a.excess);
  const worst = ranked.find((each) => each.verdict === verdict);
  if (worst === undefined) return unknown('nothing to compare');
  const { excess: _, ...assessment } = worst;
  return { ...assessment, details: ranked.map(({ measured, limit }) => `${measured}; ${limit ?? ''}`) };
}
