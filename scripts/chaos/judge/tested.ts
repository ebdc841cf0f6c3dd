// pure · whether the run tested anything at all, and whether the cluster was steady to begin with.
// Must never fail a run for what the harness did: a bad experiment is unknown.

import { CannotTell } from '../../kit/verdict.ts';
import type { FaultRecord, PhaseName, ProxyEvent, Recording } from '../journal.ts';
import { type Criterion, criterion, describeRequest, moment, nameOf, plural, unknown } from './criterion.ts';
import { MAX_CONNTRACK, MAX_DROPPED_SHARE } from './limits.ts';
import { isConntrackFull, maxConntrack, starvedMs, weigh } from './machine.ts';
import { phaseNamed, policiesOfFault, requestsOfPhase, windowOf } from './queries.ts';
import { requestIndex, requestsIn, spanOf, wentWell } from './request-index.ts';
import { eventsOf, isEviction, spanOfEvent } from './server-events.ts';

// The one scenario that is about nothing happening.
const WITHOUT_FAULTS = 'control';

/** Every planned fault happened, with requests while it lasted, and nothing spoilt the measurement; else unknown. */
export function tested(): Criterion {
  const limit = `every fault proven and under load, conntrack ≤ ${MAX_CONNTRACK}, dropped ≤ ${percent(MAX_DROPPED_SHARE)}`;
  return criterion('the run tests something', limit, (recording) => {
    const { requests, faults } = recording;
    const doubts = [
      ...doubtsOfRun(recording),
      ...faults.flatMap((fault) => doubtsOfFault(recording, fault)),
      ...missedEvents(recording),
    ];
    const share = droppedShare(recording);
    const measured = [
      plural(requests.length, 'request'),
      `${percent(share)} dropped`,
      `${faults.filter(({ isProven }) => isProven).length} of ${plural(faults.length, 'fault')} proven`,
      `conntrack up to ${maxConntrack(recording)}`,
      `start lag p99 ${recording.startLagP99Ms} ms`,
      `the machine took up to ${Math.round(starvedMs(recording, { fromMs: 0, toMs: recording.endedMs }))} ms of a second`,
    ].join(', ');
    if (doubts.length > 0)
      return unknown(`${plural(doubts.length, 'doubt')}: ${measured}`, doubts, requests.length);
    return { verdict: 'pass', measured, n: requests.length };
  });
}

function doubtsOfRun(recording: Recording): string[] {
  const { cutShort, requests, faults, plan } = recording;
  const doubts: string[] = [];
  if (cutShort !== null) doubts.push(`the run was cut short: ${cutShort}`);
  if (requestIndex(recording).sent.length === 0) doubts.push('no request was sent');
  if (isConntrackFull(recording)) doubts.push(`${maxConntrack(recording)} entries of connection tracking`);
  if (requests.length > 0 && droppedShare(recording) > MAX_DROPPED_SHARE) {
    doubts.push(`the load generator did not keep up: ${percent(droppedShare(recording))} dropped`);
  }
  if (plan.faults.length === 0 && plan.scenario !== WITHOUT_FAULTS) doubts.push('no fault was planned');
  for (const { id, kind, targets, atMs } of plan.faults) {
    if (faults.some((fault) => fault.id === id)) continue;
    doubts.push(`fault ${id} (${kind} of ${targets.join(', ')}, planned at ${moment(atMs)}) did not happen`);
  }
  return doubts;
}

function doubtsOfFault(recording: Recording, fault: FaultRecord): string[] {
  const doubts: string[] = [];
  const what = `fault ${fault.id} (${fault.kind} of ${fault.targets.join(', ')} at ${moment(fault.injectMs)})`;
  if (!fault.isProven) doubts.push(`${what} is not proven: ${fault.proof}`);
  const unhealed = fault.hits.filter(({ healedMs }) => healedMs === null).map(({ target }) => target);
  if (unhealed.length > 0) doubts.push(`${what} was not healed: ${unhealed.join(', ')}`);
  const { fromMs, toMs } = windowOf(recording, fault);
  const policies = policiesOfFault(fault);
  const isLoaded =
    policies.length === 0
      ? requestsIn(recording, fromMs, toMs).length > 0
      : policies.every((policy) => requestsIn(recording, fromMs, toMs, policy).length > 0);
  if (!isLoaded) doubts.push(`${what}: no request while it lasted, until ${moment(toMs)}`);
  return doubts;
}

/** Gaps in the numbers of the proxy's events, for each of its starts. */
function missedEvents(recording: Recording): string[] {
  let events: readonly ProxyEvent[];
  try {
    events = eventsOf(recording);
  } catch (error) {
    if (error instanceof CannotTell) return [error.message];
    throw error;
  }
  return events.flatMap((event, at, all) => {
    const before = all[at - 1];
    if (before === undefined || before.boot !== event.boot || event.seq <= before.seq + 1) return [];
    return `events ${before.seq + 1} to ${event.seq - 1} of the proxy were missed, by ${moment(event.atMs)}`;
  });
}

/** Requests that were not started in time, as a share of all. */
function droppedShare({ requests }: Recording): number {
  return requests.filter(({ outcome }) => outcome === 'dropped').length / Math.max(requests.length, 1);
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(3))} %`;
}

/**
 * One phase without any error or eviction. Requests that the generator dropped are never the cluster's fault: too many
 * are unknown.
 * @param otherwise what it means when the phase was not steady: nothing can be told (the phase before the faults), or
 * failure (the scenario that has no faults, the phase after them)
 */
export function steadyState(
  name: PhaseName = 'control',
  otherwise: 'unknown' | 'fail' = 'unknown',
): Criterion {
  const limit = `no error, no eviction, dropped ≤ ${percent(MAX_DROPPED_SHARE)}`;
  return criterion(`steady state: phase ${name}`, limit, (recording) => {
    const phase = phaseNamed(recording, name);
    const sent = requestsOfPhase(recording, phase);
    if (sent.length === 0) return unknown(`no request in phase "${name}"`);
    const isDue = ({ dueMs }: { dueMs: number }): boolean => dueMs >= phase.fromMs && dueMs < phase.toMs;
    const dropped = recording.requests.filter((request) => request.outcome === 'dropped' && isDue(request));
    const bad = sent.filter((request) => !wentWell(request));
    const evictions = eventsOf(recording).filter(
      (event) => isEviction(event) && event.atMs >= phase.fromMs && event.atMs < phase.toMs,
    );
    const share = dropped.length / (sent.length + dropped.length);
    const measured = `${plural(bad.length, 'error')}, ${plural(evictions.length, 'eviction')}, ${percent(share)} dropped`;
    const { verdict, notes } = weigh(recording, [...bad.map(spanOf), ...evictions.map(spanOfEvent)]);
    const isMeasured = share <= MAX_DROPPED_SHARE;
    return {
      verdict: verdict === 'fail' ? otherwise : isMeasured ? verdict : 'unknown',
      measured,
      n: sent.length,
      details: [
        ...notes,
        ...evictions.map(
          ({ atMs, type, id, why }) => `${moment(atMs)}: ${nameOf(recording, id)} ${type}: ${why}`,
        ),
        ...bad.slice(0, 10).map((request) => describeRequest(recording, request)),
      ],
    };
  });
}

/** The scenario without faults: the control phase is what it is about. */
export function steadyControl(): Criterion {
  return steadyState('control', 'fail');
}
