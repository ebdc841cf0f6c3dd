// pure · whether the run tested anything, and whether the cluster was steady before the faults and as before after them.

import type { TableSample } from '../../kit/proxy-events.ts';
import { CannotTell } from '../../kit/verdict.ts';
import { percent, plural } from '../../kit/words.ts';
import type { FaultRecord, RequestRow } from '../journal.ts';
import { assessEvents, assessRequests, type Criterion, troubleOf } from './judge.ts';
import { MAX_CONNTRACK, MAX_DROPPED_SHARE } from './limits.ts';
import { CERTAIN, isConntrackFull, maxConntrack, starvedMs, type Trouble } from './machine.ts';
import { isEviction, moment, type Observations, wentWell } from './observations.ts';

// The one scenario that is about nothing happening.
const WITHOUT_FAULTS = 'control';

/** Every planned fault happened, with requests while it lasted, and nothing spoilt the measurement; else unknown. */
export const tested: Criterion = {
  name: 'the run tests something',
  limit: `every fault proven and under load, conntrack ≤ ${MAX_CONNTRACK}, dropped ≤ ${percent(MAX_DROPPED_SHARE)}`,
  assess(seen) {
    const { recording } = seen;
    const { requests, faults, startLagP99Ms, endedMs } = recording;
    const doubts = [
      ...doubtsOfRun(seen),
      ...faults.flatMap((fault) => doubtsOfFault(seen, fault)),
      ...missedEvents(seen),
    ];
    const starved = Math.round(starvedMs(recording, { fromMs: 0, toMs: endedMs }));
    const measured = [
      ...(doubts.length > 0 ? [plural(doubts.length, 'doubt')] : []),
      `${plural(requests.length, 'request')}, ${percent(droppedShare(requests))} dropped`,
      `${faults.filter(({ isProven }) => isProven).length} of ${plural(faults.length, 'fault')} proven`,
      `conntrack up to ${maxConntrack(recording)}, start lag p99 ${startLagP99Ms} ms`,
      `the machine took up to ${starved} ms of a second`,
    ].join(', ');
    return { measured, n: requests.length, isOpen: doubts.length > 0, details: doubts };
  },
};

function doubtsOfRun({ recording, sent }: Observations): string[] {
  const { cutShort, requests, faults, plan } = recording;
  const dropped = droppedShare(requests);
  const missing = plan.faults.filter(({ id }) => !faults.some((fault) => fault.id === id));
  return [
    ...(cutShort === null ? [] : [`the run was cut short: ${cutShort}`]),
    ...(sent.length === 0 ? ['no request was sent'] : []),
    ...(isConntrackFull(recording) ? [`${maxConntrack(recording)} entries of connection tracking`] : []),
    ...(dropped > MAX_DROPPED_SHARE
      ? [`the load generator did not keep up: ${percent(dropped)} dropped`]
      : []),
    ...(plan.faults.length === 0 && plan.scenario !== WITHOUT_FAULTS ? ['no fault was planned'] : []),
    ...missing.map(({ id, kind, targets, atMs }) => {
      return `fault ${id} (${kind} of ${targets.join(', ')}, planned at ${moment(atMs)}) did not happen`;
    }),
  ];
}

function doubtsOfFault(seen: Observations, fault: FaultRecord): string[] {
  const { id, kind, targets, injectMs, hits, isProven, proof } = fault;
  const what = `fault ${id} (${kind} of ${targets.join(', ')} at ${moment(injectMs)})`;
  const unhealed = hits.filter(({ healedMs }) => healedMs === null).map(({ target }) => target);
  const { fromMs, toMs } = seen.windowOf(fault);
  const policies = seen.policiesOf(fault);
  const isLoaded = (policies.length === 0 ? [undefined] : policies).every(
    (policy) => seen.requestsIn(fromMs, toMs, policy).length > 0,
  );
  return [
    ...(isProven ? [] : [`${what} is not proven: ${proof}`]),
    ...(unhealed.length > 0 ? [`${what} was not healed: ${unhealed.join(', ')}`] : []),
    ...(isLoaded ? [] : [`${what}: no request while it lasted, until ${moment(toMs)}`]),
  ];
}

/** Gaps in the numbers of the proxy's events, for each of its starts. */
function missedEvents(seen: Observations): string[] {
  try {
    return seen.requireEvents().flatMap((event, at, all) => {
      const before = all[at - 1];
      if (before === undefined || before.boot !== event.boot || event.seq <= before.seq + 1) return [];
      return `events ${before.seq + 1} to ${event.seq - 1} of the proxy were missed, by ${moment(event.atMs)}`;
    });
  } catch (error) {
    return [(error as CannotTell).message];
  }
}

/** Requests that were not started in time, as a share of all. */
function droppedShare(requests: readonly RequestRow[]): number {
  return requests.filter(({ outcome }) => outcome === 'dropped').length / Math.max(requests.length, 1);
}

/** Requests that the generator dropped are never the cluster's fault: too many are unknown. */
const steady = (neverFails: boolean): Criterion => ({
  name: 'steady state: phase control',
  limit: `no error, no eviction, dropped ≤ ${percent(MAX_DROPPED_SHARE)}`,
  neverFails,
  assess(seen) {
    const phase = seen.phase('control');
    const isInPhase = (atMs: number): boolean => atMs >= phase.fromMs && atMs < phase.toMs;
    const sent = seen.requestsOfPhase(phase);
    if (sent.length === 0) throw new CannotTell('no request in phase "control"');
    const share = droppedShare(seen.recording.requests.filter(({ dueMs }) => isInPhase(dueMs)));
    const bad = assessRequests(
      seen,
      sent.filter((request) => !wentWell(request)),
    );
    const evicted = seen.requireEvents().filter((event) => isEviction(event) && isInPhase(event.atMs));
    const out = assessEvents(seen, evicted);
    return {
      measured: `${plural(bad.troubles.length, 'error')}, ${plural(evicted.length, 'eviction')}, ${percent(share)} dropped`,
      n: sent.length,
      troubles: [...bad.troubles, ...out.troubles],
      isOpen: share > MAX_DROPPED_SHARE,
      details: [...out.details, ...bad.details],
    };
  },
});

/** The control phase passes without any error or eviction; else nothing can be told of what comes after it. */
export const steadyState = steady(true);

/** As `steadyState`, for the scenario without faults, which is about that: it fails. */
export const steadyControl = steady(false);

/**
 * After the quiet period every server that was listed before the faults is ready in the last table sample and no other is
 * listed, each policy's requests in the phase `after` were shared with `max − min ≤ 1`. What the healing could not mend is
 * the tool's failure, and what is missing then may be missing because of it: nothing can be told.
 */
export const backInRotation = back('all servers ready and no others', differencesOf);

/** As `backInRotation`, where others may be there in place of those before: as many of each policy are ready. */
export const backInNumbers = back('as many servers ready as before', missingOf);

function back(
  what: string,
  problemsOf: (seen: Observations, before: TableSample, last: TableSample) => string[],
): Criterion {
  return {
    name: 'back in rotation',
    limit: `${what}, max − min ≤ 1 for each policy, nothing left over`,
    assess(seen) {
      const { leftovers, tables, phases } = seen.recording;
      if (leftovers.length > 0) {
        const measured = `left over: ${plural(leftovers.length, 'thing')}`;
        return { measured, n: leftovers.length, isOpen: true, details: leftovers };
      }
      const after = seen.phase('after');
      const samples = tables.filter(({ atMs }) => atMs >= after.fromMs && atMs <= after.toMs);
      const [first, ...others] = samples;
      // The very last sample is taken when the phase is over.
      const [last, end] = [others.at(-1), tables.at(-1)];
      if (first === undefined || last === undefined || end === undefined) {
        const count = plural(samples.length, 'sample');
        throw new CannotTell(`the policy table was seen too seldom in the phase "after" (${count})`);
      }
      // Without a phase of its own for faults there are none: then it is the end of what came before.
      const { fromMs } = phases.find(({ name }) => name === 'faults') ?? after;
      const before = seen.tableAt(fromMs);
      if (before.servers.length === 0) throw new CannotTell('no server was listed');
      const wrong = problemsOf(seen, before, end);
      if (first.boot !== end.boot) wrong.push('the proxy started again in the phase "after"');
      const shares = sharesBetween(seen, first, last);
      const unfair = shares.filter(({ spread }) => spread > 1);
      const idle = shares.filter(({ isIdle }) => isIdle);
      const ready = end.servers.filter(({ state }) => state === 'ready').length;
      return {
        measured: `${ready} of ${plural(before.servers.length, 'server')} ready, max − min = ${Math.max(...shares.map(({ spread }) => spread), 0)}`,
        n: before.servers.length,
        troubles: [
          ...wrong.map(() => ({ fromMs: first.atMs, toMs: end.atMs })),
          // An unfair share has nothing to do with the machine, unless a server was suspect or out meanwhile.
          ...unfair.map(({ policy }) => unrestOf(seen, policy, samples) ?? CERTAIN),
        ],
        isOpen: idle.length > 0,
        details: [
          ...wrong,
          ...unfair.map(({ policy, line }) => `policy ${policy} in the phase "after": ${line}`),
          ...idle.map(({ policy }) => `policy ${policy} got no request in the phase "after"`),
        ],
      };
    },
  };
}

/** What is different in the last table from the one before the faults, and which of its servers are not ready. */
function differencesOf(seen: Observations, before: TableSample, last: TableSample): string[] {
  const isListed = ({ servers }: TableSample, id: string): boolean => servers.some((each) => each.id === id);
  const line = (id: string, what: string): string =>
    `${seen.nameOf(id)} is ${what} in the last table, at ${moment(last.atMs)}`;
  return [
    ...before.servers.filter(({ id }) => !isListed(last, id)).map(({ id }) => line(id, 'not listed')),
    ...last.servers.flatMap(({ id, state }) => {
      if (!isListed(before, id)) return line(id, 'new');
      return state === 'ready' ? [] : line(id, state);
    }),
  ];
}

/** The policies that have another number of ready servers than before the faults. */
function missingOf({ recording }: Observations, before: TableSample, last: TableSample): string[] {
  const count = ({ servers }: TableSample, policy: string): number =>
    servers.filter((each) => each.policy === policy && each.state === 'ready').length;
  return recording.plan.policies
    .filter((policy) => count(last, policy) !== count(before, policy))
    .map(
      (policy) =>
        `policy ${policy} has ${count(last, policy)} ready servers, ${count(before, policy)} before`,
    );
}

type Shares = { policy: string; spread: number; isIdle: boolean; line: string };

/** How evenly each policy's requests were shared among its servers between two samples. */
function sharesBetween(seen: Observations, first: TableSample, last: TableSample): Shares[] {
  const before = new Map(first.servers.map(({ id, sent }) => [id, sent]));
  return seen.recording.plan.policies.map((policy) => {
    const grown = last.servers
      .filter((server) => server.policy === policy && server.state === 'ready')
      .map(({ id, sent }) => ({ id, by: sent - (before.get(id) ?? 0) }));
    const counts = grown.map(({ by }) => by);
    const spread = counts.length === 0 ? 0 : Math.max(...counts) - Math.min(...counts);
    const line = grown.map(({ id, by }) => `${seen.nameOf(id)} ${by}`).join(', ');
    return { policy, spread, isIdle: counts.every((by) => by === 0), line };
  });
}

/** When a server of the policy was suspect or out in the phase "after"; null when none was. */
function unrestOf(seen: Observations, policy: string, samples: readonly TableSample[]): Trouble | null {
  const fromMs = samples[0]?.atMs ?? 0;
  const sample = samples.find(({ servers }) =>
    servers.some((server) => server.policy === policy && server.state !== 'ready'),
  );
  if (sample !== undefined) return { fromMs, toMs: sample.atMs };
  const event = seen
    .requireEvents()
    .find(
      (each) =>
        each.policy === policy && each.atMs >= fromMs && (each.type === 'suspect' || isEviction(each)),
    );
  return event === undefined ? null : troubleOf(event);
}
