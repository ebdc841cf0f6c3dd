// pure · whether everything is as it was: the same servers, all in rotation, with equal shares, and nothing left over.
// Must never compare counts across a restart of the proxy.

import { CannotTell } from '../../kit/verdict.ts';
import type { Recording, TableSample } from '../journal.ts';
import { type Criterion, criterion, moment, nameOf, plural, unknown } from './criterion.ts';
import { type Trouble, weigh } from './machine.ts';
import { phaseNamed, tableAt } from './queries.ts';
import { eventsOf, isEviction, spanOfEvent } from './server-events.ts';

// Of no time: nothing can have been kept from it.
const CERTAIN: Trouble = { fromMs: 0, toMs: 0, excessMs: Number.POSITIVE_INFINITY };

type Listed = TableSample['servers'][number];
type Shares = { policy: string; grown: { id: string; by: number }[] };

/**
 * After the quiet period every expected server is ready in the last table sample and nobody else is listed, each policy's
 * requests in the phase `after` were shared with `max − min ≤ 1`. What the healing could not mend is the tool's failure,
 * and whoever is missing then may be missing because of it: nothing can be told.
 * @param expect the servers listed before the faults, or, when there shall be others, those at the start of `after`
 */
export function backInRotation({ expect = 'before' }: { expect?: 'before' | 'after' } = {}): Criterion {
  const limit = 'all servers ready and nobody else, max − min ≤ 1 for each policy, nothing left over';
  return criterion('back in rotation', limit, (recording) => {
    const { leftovers } = recording;
    if (leftovers.length > 0) {
      const measured = `left over: ${plural(leftovers.length, 'thing')}`;
      return unknown(measured, leftovers, leftovers.length);
    }
    const samples = samplesOfAfter(recording);
    const first = samples[0] as TableSample;
    const expected = expect === 'before' ? tableAt(recording, faultsBeginMs(recording)) : first;
    if (expected.servers.length === 0) throw new CannotTell('no server was listed');
    // The very last sample is taken when the phase is over.
    const end = recording.tables.at(-1) as TableSample;
    const troubles = rotationTroubles(recording, expected, end);
    if (first.boot !== end.boot) troubles.push('the proxy started again in the phase "after"');
    const shares = sharesBetween(recording, first, samples.at(-1) as TableSample);
    const unfair = shares.filter((each) => spreadOf(each) > 1);
    const restless = unfair.map((each) => restlessnessOf(recording, each.policy, samples));
    const { verdict, notes } = weigh(recording, [
      ...troubles.map(() => ({ fromMs: first.atMs, toMs: end.atMs })),
      // A turn that sticks has nothing to do with the machine, unless a server was doubted meanwhile.
      ...restless.map((at) => at ?? CERTAIN),
    ]);
    const idle = shares.filter(({ grown }) => grown.every(({ by }) => by === 0));
    const ready = end.servers.filter(({ state }) => state === 'ready').length;
    return {
      verdict: verdict === 'pass' && idle.length > 0 ? 'unknown' : verdict,
      measured: `${ready} of ${plural(expected.servers.length, 'server')} ready, max − min = ${Math.max(...shares.map(spreadOf), 0)}`,
      n: expected.servers.length,
      details: [
        ...notes,
        ...troubles,
        ...unfair.map((each) => describeShares(recording, each)),
        ...idle.map(({ policy }) => `policy ${policy} got no request in the phase "after"`),
      ],
    };
  });
}

/** When a server of the policy was doubted or out in the phase "after"; null when none was. */
function restlessnessOf(
  recording: Recording,
  policy: string,
  samples: readonly TableSample[],
): Trouble | null {
  const isRestless = ({ servers }: TableSample): boolean =>
    servers.some((server) => server.policy === policy && server.state !== 'ready');
  const fromMs = samples[0]?.atMs ?? 0;
  const sample = samples.find(isRestless);
  if (sample !== undefined) return { fromMs, toMs: sample.atMs };
  const event = eventsOf(recording).find(
    (each) => each.policy === policy && each.atMs >= fromMs && (each.type === 'suspect' || isEviction(each)),
  );
  return event === undefined ? null : spanOfEvent(event);
}

function samplesOfAfter(recording: Recording): TableSample[] {
  const { fromMs, toMs } = phaseNamed(recording, 'after');
  const samples = recording.tables.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
  if (samples.length < 2) {
    throw new CannotTell(
      `the policy table was seen too seldom in the phase "after" (${plural(samples.length, 'sample')})`,
    );
  }
  return samples;
}

// Without a phase of its own for faults there are none: then it is the end of what came before.
function faultsBeginMs(recording: Recording): number {
  const phase = recording.phases.find(({ name }) => name === 'faults') ?? phaseNamed(recording, 'after');
  return phase.fromMs;
}

function rotationTroubles(recording: Recording, expected: TableSample, last: TableSample): string[] {
  const at = `in the last table, at ${moment(last.atMs)}`;
  const missing = expected.servers.filter(({ id }) => !last.servers.some((server) => server.id === id));
  return [
    ...missing.map(({ id }) => `${nameOf(recording, id)} is not listed ${at}`),
    ...last.servers.flatMap(({ id, state }) => {
      if (!expected.servers.some((server) => server.id === id))
        return `${nameOf(recording, id)} is new ${at}`;
      return state === 'ready' ? [] : `${nameOf(recording, id)} is ${state} ${at}`;
    }),
  ];
}

/** How much each server of a policy was sent between two samples. */
function sharesBetween({ plan }: Recording, first: TableSample, last: TableSample): Shares[] {
  const before = new Map(first.servers.map((server) => [server.id, server.sent]));
  const shareOf = ({ id, sent }: Listed) => ({ id, by: sent - (before.get(id) ?? 0) });
  return plan.policies.map((policy) => ({
    policy,
    grown: last.servers.filter((server) => server.policy === policy).map(shareOf),
  }));
}

function spreadOf({ grown }: Shares): number {
  const counts = grown.map(({ by }) => by);
  return counts.length === 0 ? 0 : Math.max(...counts) - Math.min(...counts);
}

function describeShares(recording: Recording, { policy, grown }: Shares): string {
  const shares = grown.map(({ id, by }) => `${nameOf(recording, id)} ${by}`);
  return `policy ${policy} in the phase "after": ${shares.join(', ')}`;
}
