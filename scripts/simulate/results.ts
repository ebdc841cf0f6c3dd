// pure · what seeds have shown: the table of what worlds have to reach, the sums over seeds, and the text of both.
import type { Cause as EventCause } from '../../services/proxy/health/cause.ts';
import type { State } from '../../services/proxy/health/health.ts';
import type { FailureKind, ProbeOutcome } from '../../services/proxy/servers/failure.ts';
import type { StateEventType } from '../../services/proxy/status/events.ts';
import { ERROR_CODES } from '../../services/shared/error-codes.ts';
import { count, plural } from '../kit/words.ts';
import type { SeedResult } from './run.ts';
import { CAUSES, type Only, reachesOf } from './scenario.ts';

/** With so many seeds all of the table must have been reached. */
const SEEDS_FOR_ALL = 1000;
const LOG_LINES = 40;

// Lists are made from the proxy's own unions, so that the compiler asks for a row when one grows.

/** True for what worlds have to reach; otherwise the reason why they can't. */
type Row = true | string;

const STATES: Record<State, Row> = {
  joining: true,
  ready: true,
  standby: true,
  suspect: true,
  evicted: true,
  ejected: true,
  trial: true,
  leaving: true,
  forgotten: 'an entry in this state has already left the table; an event names it',
};

// An entry's events, each with those that may follow it.
const TRANSITIONS: Record<StateEventType, readonly StateEventType[]> = {
  registered: ['admitted', 'standby', 'forgotten', 'leaving', 'replaced'],
  standby: ['suspect', 'evicted', 'leaving', 'replaced'],
  admitted: ['standby', 'suspect', 'evicted', 'ejected', 'leaving', 'replaced'],
  suspect: ['admitted', 'trial', 'evicted', 'replaced'],
  evicted: ['admitted', 'standby', 'forgotten', 'replaced'],
  ejected: ['trial', 'admitted', 'evicted', 'replaced'],
  trial: ['admitted', 'ejected', 'evicted'],
  leaving: ['left'],
  left: [],
  replaced: [],
  forgotten: [],
};

// Rightly possible, and rarer than once in a thousand seeds; the last two where an event in between was one too many to tell.
const RARE_TRANSITIONS = [
  'trial → suspect',
  'trial → replaced',
  'trial → leaving',
  'trial → standby',
  'ejected → standby',
  'suspect → ejected',
  'suspect → leaving',
  'suspect → standby',
  'leaving → replaced',
  'ejected → leaving',
  'evicted → leaving',
  'admitted → admitted',
  'replaced → admitted',
];

const EVICTED_BY: Record<ProbeOutcome, Row> = {
  pass: 'a passed probe evicts no server',
  refused: true,
  timeout: true,
  reset: true,
  closed: true,
  unreachable: 'the simulated network takes longer to say so than a probe may take',
  garbled: true,
  'wrong-digest': true,
  'somebody-else': true,
  untrusted: 'simulated connections have no TLS',
  local: 'says nothing about a server, so it evicts no server',
};

const FAILURES: Record<FailureKind, Row> = {
  refused: true,
  'connect-timeout': true,
  unreachable: 'connecting is given up before the simulated network says so',
  congested: 'held against no server, so no event names it',
  local: 'held against no server, so no event names it',
  reset: true,
  closed: true,
  untrusted: 'simulated connections have no TLS',
  garbled: true,
  'wrong-digest': true,
  slipped: true,
  silent: true,
  stale: 'held against no server, so no event names it',
  distrusted: 'held against no server, so no event names it',
  evicted: 'held against no server, so no event names it',
};

// Failures in a row are not among them: a server that fails is suspected first, and its trial decides.
const EJECTED_FOR: EventCause[] = ['failed-share', 'wrong-answers', 'trial-failed'];

const LIMITS = [
  '--fall',
  '--queue',
  '--max-servers',
  'a full pipeline',
  'more than one connection to a server',
  'replies that wait for a reader',
  'a retry budget that is nearly used up',
  'local ports',
  'descriptors',
];

const TRAFFIC = [
  'a request was sent again',
  'a request was a trial',
  'a request stood behind another',
  'a poison was sent',
  'two servers have worked on it',
  'a late answer was dropped',
  'requests were open when the stop began',
];

export type Group = keyof ReturnType<typeof tableOf>;

/** How often each was reached: group, then name. */
export type Reached = Partial<Record<Group, Record<string, number>>>;

/** Of many seeds. */
export type Tally = {
  seeds: number;
  steps: number;
  requests: number;
  simulatedMs: number;
  failures: SeedResult[];
  reached: Reached;
};

/** What has to be reached, by group. */
export function tableOf() {
  const byCauses = (group: 'limits' | 'traits'): string[] =>
    CAUSES.flatMap((cause) => reachesOf(cause)[group] ?? []);
  const transitions = Object.entries(TRANSITIONS).flatMap(([before, afters]) =>
    afters.map((after) => `${before} → ${after}`),
  );
  return {
    states: wanted(STATES),
    events: Object.keys(TRANSITIONS),
    transitions,
    'evicted by': wanted(EVICTED_BY),
    'ejected for': EJECTED_FOR,
    failures: wanted(FAILURES),
    errors: Object.keys(ERROR_CODES),
    limits: [...LIMITS, ...byCauses('limits')],
    traffic: TRAFFIC,
    causes: CAUSES,
    traits: byCauses('traits'),
  };
}

function wanted(rows: Record<string, Row>): string[] {
  return Object.keys(rows).filter((name) => rows[name] === true);
}

export function newTally(): Tally {
  return { seeds: 0, steps: 0, requests: 0, simulatedMs: 0, failures: [], reached: {} };
}

/** Adds one more seed; `failures` are kept in the order of their seeds. */
export function addResult(tally: Tally, result: SeedResult): void {
  tally.seeds += 1;
  tally.steps += result.steps;
  tally.requests += result.requests;
  tally.simulatedMs += result.simulatedMs;
  for (const [group, counts] of Object.entries(result.reached) as [Group, Record<string, number>][]) {
    tally.reached[group] ??= {};
    const sums = tally.reached[group];
    for (const [name, times] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + times;
  }
  if (result.violation === null) return;
  tally.failures.push(result);
  tally.failures.sort((a, b) => a.seed - b.seed);
}

/** "group: name" of all that was never reached, and of transitions that were reached and are not listed. */
export function gapsIn(reached: Reached): string[] {
  const never = Object.entries(tableOf()).flatMap(([group, names]) =>
    names.filter((name) => !reached[group as Group]?.[name]).map((name) => `${group}: ${name}`),
  );
  const known = [...tableOf().transitions, ...RARE_TRANSITIONS];
  const unlisted = Object.keys(reached.transitions ?? {}).filter((name) => !known.includes(name));
  return [...never, ...unlisted.map((name) => `transitions: ${name} (not listed)`)];
}

/**
 * Whether many seeds are good: no promise was broken, and enough seeds of all kinds have reached the whole table.
 * Seeds that were not run are not good: an interrupted run is so only if it has found something.
 */
export function verdictOf(
  { failures, seeds, reached }: Tally,
  { only, isInterrupted }: { only: Only; isInterrupted: boolean },
): 'pass' | 'fail' | 'interrupted' {
  if (failures.length > 0) return 'fail';
  if (isInterrupted) return 'interrupted';
  return seeds >= SEEDS_FOR_ALL && only === null && gapsIn(reached).length > 0 ? 'fail' : 'pass';
}

/** "1,000 seeds: 512,000 requests in 5.1 simulated hours". */
export function formatTally({ seeds, requests, simulatedMs }: Tally): string {
  const hours = (simulatedMs / 3_600_000).toFixed(1);
  return `${plural(seeds, 'seed')}: ${plural(requests, 'request')} in ${hours} simulated hours`;
}

/** The table: first what was never reached, unless worlds had only one cause, then each group in a line or two. */
export function formatReached(reached: Reached, only: Only): string {
  const never = only === null ? gapsIn(reached).join(', ') : '';
  const lines = Object.entries(tableOf()).map(([group, names]) => {
    const counts = reached[group as Group] ?? {};
    const parts = names.filter((name) => counts[name]).map((name) => `${name} ${count(counts[name] ?? 0)}`);
    return `  ${group}: ${parts.join(', ')}`;
  });
  return ['Reached:', ...(never === '' ? [] : [`  never: ${never}`]), ...lines].join('\n');
}

/** Which promise a seed has broken, the end of its log, and how to see it again. */
export function formatFailure({ seed, violation }: SeedResult, log: readonly string[], only: Only): string {
  if (violation === null) return '';
  const { invariant, detail, atMs } = violation;
  const when = atMs === null ? '' : `, after ${(atMs / 1000).toFixed(3)} simulated seconds`;
  const end = log.slice(-LOG_LINES);
  const logLines = ['', `The last ${end.length} of ${log.length} lines of its log:`, ...end];
  const cause = only === null ? '' : ` --cause ${only}`;
  return [
    `Seed ${seed}${when}: ${invariant}`,
    `  ${detail}`,
    ...(end.length === 0 ? [] : logLines),
    '',
    `All of it, the same each time: npm run simulate -- --seed ${seed}${cause} --trace`,
  ].join('\n');
}
