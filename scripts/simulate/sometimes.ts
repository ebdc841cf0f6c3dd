// pure · what worlds have to reach sometimes: states, transitions, causes, refusals and limits, each counted.
// What is never reached is not tested, however many seeds pass. Lists are made from the proxy's own unions, so that the
// compiler asks for a row when one grows.

import type { State } from '../../services/proxy/health/health.ts';
import type { FailureKind, ProbeOutcome } from '../../services/proxy/servers/failure.ts';
import type { EventType } from '../../services/proxy/status/events.ts';
import { ERROR_CODES } from '../../services/shared/error-codes.ts';
import { AWAITED, CAUSES, type Cause } from './causes.ts';

/** True for what worlds have to reach; otherwise the reason why they can't. */
type Row = true | string;

const STATES: Record<State, Row> = {
  joining: true,
  ready: true,
  suspect: true,
  evicted: true,
  ejected: true,
  trial: true,
  leaving: true,
  forgotten: 'an entry in this state has already left the table; the event tells of it',
};

const EVENTS: Record<EventType, Row> = {
  registered: true,
  admitted: true,
  suspect: true,
  evicted: true,
  ejected: true,
  trial: true,
  leaving: true,
  left: true,
  replaced: true,
  forgotten: true,
};

// An entry's events, each with those that may follow it.
const TRANSITIONS: Record<EventType, readonly EventType[]> = {
  registered: ['admitted', 'forgotten', 'leaving', 'replaced'],
  admitted: ['suspect', 'evicted', 'ejected', 'trial', 'leaving', 'replaced'],
  suspect: ['admitted', 'trial', 'evicted', 'replaced'],
  evicted: ['admitted', 'forgotten', 'replaced'],
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
  'suspect → ejected',
  'suspect → leaving',
  'leaving → replaced',
  'ejected → leaving',
  'evicted → leaving',
  'admitted → admitted',
  'replaced → admitted',
];

const EVICTED_BY: Record<ProbeOutcome, Row> = {
  pass: 'a passed probe evicts nobody',
  refused: true,
  timeout: true,
  reset: true,
  closed: true,
  unreachable: 'the simulated network takes longer to say so than a probe may take',
  garbled: true,
  'wrong-digest': true,
  'somebody-else': true,
  untrusted: 'simulated connections have no TLS',
  local: 'says nothing about a server, so it evicts nobody',
};

const FAILURES: Record<FailureKind, Row> = {
  refused: true,
  'connect-timeout': true,
  unreachable: 'connecting is given up before the simulated network says so',
  untrusted: 'simulated connections have no TLS',
  congested: 'held against nobody, so no event names it',
  local: 'held against nobody, so no event names it',
  reset: true,
  closed: true,
  garbled: true,
  'wrong-digest': true,
  slipped: true,
  silent: true,
  stale: 'held against nobody, so no event names it',
  distrusted: 'held against nobody, so no event names it',
  evicted: 'held against nobody, so no event names it',
};

// Failures in a row are not among them: a server that fails is suspected first, and its trial decides.
const EJECTED_FOR = ['a share of failures', 'wrong answers', 'a failed trial'];

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

const LIMITS_OF: Partial<Record<Cause, string>> = {
  squatter: '--max-connections',
  'accept-queue': 'a full accept queue',
};

const TRAFFIC = [
  'a request was sent again',
  'a request stood behind another',
  'a poison was sent',
  'two servers have worked on it',
  'a late answer was dropped',
  'requests were open when the stop began',
];

// What a cause has to have done, beyond being there.
const TRAITS: Partial<Record<Cause, readonly string[]>> = {
  doubler: ['an answer was sent twice'],
  poison: ['a poison has killed'],
  middlebox: ['a middlebox has forgotten a connection'],
  'reset-reused': ['a reused connection was reset'],
  twin: ['two servers had one id'],
  squatter: ['a server registered while all places were held'],
  flooder: ['a flood of refusals was cut off'],
};

const GROUPS = [
  'states',
  'events',
  'transitions',
  'evicted by',
  'ejected for',
  'failures',
  'errors',
  'limits',
  'traffic',
  'causes',
  'traits',
] as const;

export type Group = (typeof GROUPS)[number];

/** How often each was reached: group, then name. */
export type Reached = Partial<Record<Group, Record<string, number>>>;

/** "suspect → evicted": one event of an entry after another. */
export function transitionName(before: string, after: string): string {
  return `${before} → ${after}`;
}

function wanted(rows: Record<string, Row>): string[] {
  return Object.keys(rows).filter((name) => rows[name] === true);
}

/** What has to be reached, by group. Whatever only an awaited cause can reach is left out. */
export function tableOf(
  isOn: (cause: Cause) => boolean = (cause) => !AWAITED.has(cause),
): Record<Group, string[]> {
  return {
    states: wanted(STATES),
    events: wanted(EVENTS),
    transitions: Object.entries(TRANSITIONS).flatMap(([before, afters]) =>
      afters.map((after) => transitionName(before, after)),
    ),
    'evicted by': wanted(EVICTED_BY),
    'ejected for': EJECTED_FOR,
    failures: wanted(FAILURES),
    errors: Object.keys(ERROR_CODES),
    limits: [...LIMITS, ...CAUSES.filter(isOn).flatMap((cause) => LIMITS_OF[cause] ?? [])],
    traffic: TRAFFIC,
    causes: CAUSES.filter(isOn),
    traits: CAUSES.filter(isOn).flatMap((cause) => TRAITS[cause] ?? []),
  };
}

/** `sum` with what one more seed has reached; changes `sum`. */
export function addReached(sum: Reached, more: Reached): void {
  for (const group of GROUPS) {
    for (const [name, count] of Object.entries(more[group] ?? {})) {
      const counts = sum[group] ?? {};
      sum[group] = counts;
      counts[name] = (counts[name] ?? 0) + count;
    }
  }
}

/** "group: name" of all that was never reached. */
export function neverReached(reached: Reached): string[] {
  return Object.entries(tableOf()).flatMap(([group, names]) =>
    names.filter((name) => (reached[group as Group]?.[name] ?? 0) === 0).map((name) => `${group}: ${name}`),
  );
}

/** "group: name" of transitions that were reached, and that nobody has listed. */
export function unlisted(reached: Reached): string[] {
  const { transitions } = tableOf();
  return Object.keys(reached.transitions ?? {})
    .filter((name) => !transitions.includes(name) && !RARE_TRANSITIONS.includes(name))
    .map((name) => `transitions: ${name}`);
}

/** The table: first what was never reached, then each group in a line or two. */
export function formatReached(reached: Reached): string {
  const never = neverReached(reached);
  const lines = Object.entries(tableOf()).map(([group, names]) => {
    const counts = reached[group as Group] ?? {};
    const parts = names
      .filter((name) => (counts[name] ?? 0) > 0)
      .map((name) => `${name} ${(counts[name] ?? 0).toLocaleString('en')}`);
    return `  ${group}: ${parts.join(', ')}`;
  });
  const first = never.length === 0 ? [] : [`  never: ${never.join(', ')}`];
  return ['Reached:', ...first, ...lines].join('\n');
}
