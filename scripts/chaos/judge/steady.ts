// pure · whether the run tested anything, and whether the cluster was steady before the faults and as before after them.

import type { ProxyEvent, TableSample } from '../../kit/proxy-events.ts';
import { CannotTell } from '../../kit/verdict.ts';
import type { FaultRecord, Recording } from '../journal.ts';
import { assessRequests, type Criterion, describeEvent, moment, nameOf, plural, troubleOf } from './judge.ts';
import { MAX_CONNTRACK, MAX_DROPPED_SHARE } from './limits.ts';
import {
  eventsOf,
  indexOf,
  isEviction,
  phaseNamed,
  policiesOfFault,
  requestsIn,
  requestsOfPhase,
  tableAt,
  wentWell,
  windowOf,
} from './lookup.ts';
import { CERTAIN, isConntrackFull, maxConntrack, starvedMs, type Trouble } from './machine.ts';

// The one scenario that is about nothing happening.
const WITHOUT_FAULTS = 'control';

/** Every planned fault happened, with requests while it lasted, and nothing spoilt the measurement; else unknown. */
export function tested(): Criterion {
  return {
    name: 'the run tests something',
    limit: `every fault proven and under load, conntrack ≤ ${MAX_CONNTRACK}, dropped ≤ ${percent(MAX_DROPPED_SHARE)}`,
    assess(recording) {
      const { requests, faults, startLagP99Ms, endedMs } = recording;
      const doubts = [
        ...doubtsOfRun(recording),
        ...faults.flatMap((fault) => doubtsOfFault(recording, fault)),
        ...missedEvents(recording),
      ];
      const measured = [
        ...(doubts.length > 0 ? [plural(doubts.length, 'doubt')] : []),
        plural(requests.length, 'request'),
        `${percent(droppedShare(requests))} dropped`,
        `${faults.filter(({ isProven }) => isProven).length} of ${plural(faults.length, 'fault')} proven`,
        `conntrack up to ${maxConntrack(recording)}`,
        `start lag p99 ${startLagP99Ms} ms`,
        `the machine took up to ${Math.round(starvedMs(recording, { fromMs: 0, toMs: endedMs }))} ms of a second`,
      ].join(', ');
      return { measured, n: requests.length, isOpen: doubts.length > 0, details: doubts };
    },
  };
}

function doubtsOfRun(recording: Recording): string[] {
  const { cutShort, requests, faults, plan } = recording;
  const doubts: string[] = [];
  if (cutShort !== null) doubts.push(`the run was cut short: ${cutShort}`);
  if (indexOf(recording).sent.length === 0) doubts.push('no request was sent');
  if (isConntrackFull(recording)) doubts.push(`${maxConntrack(recording)} entries of connection tracking`);
  if (droppedShare(requests) > MAX_DROPPED_SHARE)
    doubts.push(`the load generator did not keep up: ${percent(droppedShare(requests))} dropped`);
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
  const policies = policiesOfFault(recording, fault);
  const isLoaded = (policies.length === 0 ? [undefined] : policies).every(
    (policy) => requestsIn(recording, fromMs, toMs, policy).length > 0,
  );
  if (!isLoaded) doubts.push(`${what}: no request while it lasted, until ${moment(toMs)}`);
  return doubts;
}

/** Gaps in the numbers of the proxy's events, for each of its starts. */
function missedEvents(recording: Recording): string[] {
  let events: readonly ProxyEvent[];
  try {
    events = eventsOf(recording);
  } catch (error) {
    return [(error as CannotTell).message];
  }
  return events.flatMap((event, at, all) => {
    const before = all[at - 1];
    if (before === undefined || before.boot !== event.boot || event.seq <= before.seq + 1) return [];
    return `events ${before.seq + 1} to ${event.seq - 1} of the proxy were missed, by ${moment(event.atMs)}`;
  });
}

/** Requests that were not started in time, as a share of all. */
function droppedShare(requests: readonly { outcome: string }[]): number {
  return requests.filter(({ outcome }) => outcome === 'dropped').length / Math.max(requests.length, 1);
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(3))} %`;
}

/** The control phase passes without any error or eviction; else nothing can be told of what comes after it. */
export function steadyState(): Criterion {
  return steady(true);
}

/** As `steadyState`, for the scenario without faults, which is about that: it fails. */
export function steadyControl(): Criterion {
  return steady(false);
}

/** Requests that the generator dropped are never the cluster's fault: too many are unknown. */
function steady(neverFails: boolean): Criterion {
  return {
    name: 'steady state: phase control',
    neverFails,
    limit: `no error, no eviction, dropped ≤ ${percent(MAX_DROPPED_SHARE)}`,
    assess(recording) {
      const phase = phaseNamed(recording, 'control');
      const isIn = (atMs: number): boolean => atMs >= phase.fromMs && atMs < phase.toMs;
      const sent = requestsOfPhase(recording, phase);
      if (sent.length === 0) throw new CannotTell('no request in phase "control"');
      const share = droppedShare(recording.requests.filter(({ dueMs }) => isIn(dueMs)));
      const bad = assessRequests(
        recording,
        sent.filter((request) => !wentWell(request)),
      );
      const evictions = eventsOf(recording).filter((event) => isEviction(event) && isIn(event.atMs));
      return {
        measured: `${plural(bad.troubles.length, 'error')}, ${plural(evictions.length, 'eviction')}, ${percent(share)} dropped`,
        n: sent.length,
        troubles: [...bad.troubles, ...evictions.map(troubleOf)],
        isOpen: share > MAX_DROPPED_SHARE,
        details: [...evictions.map((event) => describeEvent(recording, event)), ...bad.details],
      };
    },
  };
}

type Listed = TableSample['servers'][number];
type Shares = { policy: string; grown: { id: string; by: number }[]; spread: number };

/**
 * After the quiet period every server that was listed before the faults is ready in the last table sample and no other is listed, each policy's
 * requests in the phase `after` were shared with `max − min ≤ 1`. What the healing could not mend is the tool's failure,
 * and what is missing then may be missing because of it: nothing can be told.
 */
export function backInRotation(): Criterion {
  return {
    name: 'back in rotation',
    limit: 'all servers ready and nobody else, max − min ≤ 1 for each policy, nothing left over',
    assess(recording) {
      const { leftovers, tables } = recording;
      if (leftovers.length > 0) {
        const measured = `left over: ${plural(leftovers.length, 'thing')}`;
        return { measured, n: leftovers.length, isOpen: true, details: leftovers };
      }
      const samples = samplesOfAfter(recording);
      const first = samples[0] as TableSample;
      const expected = tableAt(recording, faultsBeginMs(recording));
      if (expected.servers.length === 0) throw new CannotTell('no server was listed');
      // The very last sample is taken when the phase is over.
      const end = tables.at(-1) as TableSample;
      const wrong = differencesOf(recording, expected, end);
      if (first.boot !== end.boot) wrong.push('the proxy started again in the phase "after"');
      const shares = sharesBetween(recording, first, samples.at(-1) as TableSample);
      const unfair = shares.filter(({ spread }) => spread > 1);
      const idle = shares.filter(({ grown }) => grown.every(({ by }) => by === 0));
      const ready = end.servers.filter(({ state }) => state === 'ready').length;
      return {
        measured: `${ready} of ${plural(expected.servers.length, 'server')} ready, max − min = ${Math.max(...shares.map(({ spread }) => spread), 0)}`,
        n: expected.servers.length,
        troubles: [
          ...wrong.map(() => ({ fromMs: first.atMs, toMs: end.atMs })),
          // An unfair share has nothing to do with the machine, unless a server was suspect or out meanwhile.
          ...unfair.map(({ policy }) => unrestOf(recording, policy, samples) ?? CERTAIN),
        ],
        isOpen: idle.length > 0,
        details: [
          ...wrong,
          ...unfair.map((each) => describeShares(recording, each)),
          ...idle.map(({ policy }) => `policy ${policy} got no request in the phase "after"`),
        ],
      };
    },
  };
}

/** When a server of the policy was suspect or out in the phase "after"; null when none was. */
function unrestOf(recording: Recording, policy: string, samples: readonly TableSample[]): Trouble | null {
  const fromMs = samples[0]?.atMs ?? 0;
  const sample = samples.find(({ servers }) =>
    servers.some((server) => server.policy === policy && server.state !== 'ready'),
  );
  if (sample !== undefined) return { fromMs, toMs: sample.atMs };
  const event = eventsOf(recording).find(
    (each) => each.policy === policy && each.atMs >= fromMs && (each.type === 'suspect' || isEviction(each)),
  );
  return event === undefined ? null : troubleOf(event);
}

function samplesOfAfter(recording: Recording): TableSample[] {
  const { fromMs, toMs } = phaseNamed(recording, 'after');
  const samples = recording.tables.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
  if (samples.length >= 2) return samples;
  const count = plural(samples.length, 'sample');
  throw new CannotTell(`the policy table was seen too seldom in the phase "after" (${count})`);
}

// Without a phase of its own for faults there are none: then it is the end of what came before.
function faultsBeginMs(recording: Recording): number {
  const phase = recording.phases.find(({ name }) => name === 'faults') ?? phaseNamed(recording, 'after');
  return phase.fromMs;
}

function differencesOf(recording: Recording, expected: TableSample, last: TableSample): string[] {
  const at = `in the last table, at ${moment(last.atMs)}`;
  const isIn = (sample: TableSample, { id }: Listed): boolean =>
    sample.servers.some((each) => each.id === id);
  const line = ({ id }: Listed, what: string): string => `${nameOf(recording, id)} is ${what} ${at}`;
  return [
    ...expected.servers.filter((each) => !isIn(last, each)).map((each) => line(each, 'not listed')),
    ...last.servers.flatMap((each) => {
      if (!isIn(expected, each)) return line(each, 'new');
      return each.state === 'ready' ? [] : line(each, each.state);
    }),
  ];
}

/** How much each server of a policy was sent between two samples. */
function sharesBetween({ plan }: Recording, first: TableSample, last: TableSample): Shares[] {
  const before = new Map(first.servers.map((server) => [server.id, server.sent]));
  return plan.policies.map((policy) => {
    const grown = last.servers
      .filter((server) => server.policy === policy)
      .map(({ id, sent }) => ({ id, by: sent - (before.get(id) ?? 0) }));
    const counts = grown.map(({ by }) => by);
    return { policy, grown, spread: counts.length === 0 ? 0 : Math.max(...counts) - Math.min(...counts) };
  });
}

function describeShares(recording: Recording, { policy, grown }: Shares): string {
  const shares = grown.map(({ id, by }) => `${nameOf(recording, id)} ${by}`);
  return `policy ${policy} in the phase "after": ${shares.join(', ')}`;
}
