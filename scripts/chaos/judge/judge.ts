// pure · what a criterion is, how a finding is made of what it sees, and the verdict over a run.

import type { ProxyEvent } from '../../kit/proxy-events.ts';
import { CannotTell, type Finding, type Judgement, worstVerdict } from '../../kit/verdict.ts';
import { INTERRUPTED, type Recording, type RequestRow } from '../journal.ts';
import { endMsOf, type FaultHit, type Span } from './lookup.ts';
import { couldTell, isConntrackFull, maxConntrack, type Trouble, takenMs } from './machine.ts';

/** One thing that a run is judged for. */
export type Criterion = {
  /** For example `no request lost`. */
  name: string;
  /** What passes, in words with units. */
  limit: string;
  /** Neither a slow machine nor a spoilt run explains that it fails: it fails all the same. */
  isUnconditional?: boolean;
  /** It judges the run and not the proxy: at worst it is unknown. */
  neverFails?: boolean;
  /** What it sees; null when it does not apply to this run. May throw `CannotTell`. */
  assess(recording: Recording): Assessment | null;
};

export type Assessment = {
  /** In words with units. */
  measured: string;
  /** Where it depends on what was measured. */
  limit?: string;
  /** How many observations it rests on. */
  n: number;
  /** What speaks against the proxy: one that the machine does not explain fails, others are unknown, none passes. */
  troubles?: readonly Trouble[];
  /** Something could not be told: it does not pass. */
  isOpen?: boolean;
  /** The worst case first. */
  details?: readonly string[];
};

const MAX_DETAILS = 10;

/**
 * Judges a recording; without any criterion the verdict is unknown. In a run that tested nothing, or was spoilt from
 * outside, what fails is unknown, but for what nothing explains.
 */
export function judge(recording: Recording, criteria: readonly Criterion[]): Judgement {
  const spoilt = whySpoilt(recording);
  const findings = criteria.flatMap((each) => findingOf(recording, each, spoilt) ?? []);
  const verdict = worstVerdict(findings.map((finding) => finding.verdict));
  return { verdict: spoilt !== null && verdict === 'pass' ? 'unknown' : verdict, findings };
}

/** Why nothing that failed in this run can be held against the proxy; null when it can. */
function whySpoilt(recording: Recording): string | null {
  const { plan, faults, cutShort } = recording;
  // What has not had its time can't be held against the proxy.
  if (cutShort === INTERRUPTED) return cutShort;
  if (plan.faults.length > 0 && !faults.some(({ isProven }) => isProven)) {
    return `none of ${plural(plan.faults.length, 'planned fault')} happened`;
  }
  if (!isConntrackFull(recording)) return null;
  return `the kernel tracked ${maxConntrack(recording)} connections, which slows Docker's network`;
}

function findingOf(recording: Recording, criterion: Criterion, spoilt: string | null): Finding | null {
  const assessment = assessOrUnknown(recording, criterion);
  if (assessment === null) return null;
  const { measured, limit = criterion.limit, n, troubles = [], isOpen = false } = assessment;
  const excused = troubles.filter((trouble) => !couldTell(recording, trouble));
  const details = [...excuseFor(recording, excused), ...(assessment.details ?? [])];
  const isBad = excused.length < troubles.length;
  const isSpoilt = isBad && spoilt !== null && !criterion.isUnconditional;
  if (isSpoilt) details.unshift(`It would be a fail, but ${spoilt}.`);
  const isFail = isBad && !isSpoilt && !criterion.neverFails;
  const verdict = isFail ? 'fail' : troubles.length > 0 || isOpen ? 'unknown' : 'pass';
  return { criterion: criterion.name, verdict, measured, limit, n, details: details.slice(0, MAX_DETAILS) };
}

function assessOrUnknown(recording: Recording, criterion: Criterion): Assessment | null {
  try {
    return criterion.assess(recording);
  } catch (error) {
    const { message, stack = '' } = error as Error;
    if (error instanceof CannotTell) return { measured: message, n: 0, isOpen: true };
    const details = stack.split('\n').slice(1, 4);
    return {
      measured: `The criterion itself failed: ${message}`,
      limit: 'a criterion that works',
      n: 0,
      isOpen: true,
      details: details.map((line) => line.trim()),
    };
  }
}

/** The first of the troubles that the machine explains, as a line. */
function excuseFor(recording: Recording, [first, ...others]: readonly Trouble[]): string[] {
  if (first === undefined) return [];
  const { fromMs, toMs, servers } = first;
  const taken = millis(Math.round(takenMs(recording, { fromMs, toMs }, servers)));
  const more = others.length > 0 ? ` (and ${others.length} more like it)` : '';
  return [
    `${moment(fromMs)} to ${moment(toMs)}: the machine was too slow to tell, it kept ${taken} from those at work${more}`,
  ];
}

/** How long something took from when it was possible. */
export type Delay = {
  /** How its line begins: `6.000 s: kill of server-p1-1:`. */
  what: string;
  /** What was waited for, after "not" too: `admitted`. */
  verb: string;
  fromMs: number;
  /** `Infinity` when it never came. */
  afterMs: number;
  /** Until when it was waited for; without it, to the end of the recording. */
  untilMs?: number;
  /** That it never came counts, however shortly it was waited for. */
  isDue?: boolean;
  servers?: readonly string[];
  /** Added to its line when it came. */
  why?: string;
};

/** Delays of which none may exceed `maxMs`; of one that was waited for too shortly nothing is known. */
export function assessDelays(recording: Recording, delays: readonly Delay[], maxMs: number) {
  const isThere = ({ afterMs }: Delay): boolean => Number.isFinite(afterMs);
  const waitedMs = (delay: Delay): number =>
    isThere(delay) ? delay.afterMs : (delay.untilMs ?? recording.endedMs) - delay.fromMs;
  const late = delays.filter(({ afterMs }) => afterMs > maxMs);
  const open = late.filter((delay) => waitedMs(delay) < maxMs && !delay.isDue);
  const never = late.filter((delay) => !isThere(delay) && !open.includes(delay)).length;
  const came = delays.filter(isThere).map(({ afterMs }) => afterMs);
  const verb = delays[0]?.verb ?? '';
  return {
    measured: [
      came.length > 0 ? `max ${millis(Math.max(...came))}, n = ${came.length}` : `none ${verb}`,
      ...(never > 0 ? [`${never} not ${verb}`] : []),
      ...(open.length > 0 ? [`${open.length} undecided`] : []),
    ].join('; '),
    n: delays.length - open.length,
    troubles: late
      .filter((delay) => !open.includes(delay))
      .map((delay): Trouble => {
        const { fromMs, servers } = delay;
        const excessMs = Math.max(0, waitedMs(delay) - maxMs);
        return { fromMs, toMs: fromMs + waitedMs(delay), excessMs, servers };
      }),
    isOpen: open.length > 0,
    details: worstLines(
      delays,
      ({ afterMs }) => afterMs,
      (delay) =>
        isThere(delay)
          ? `${delay.what} ${delay.verb} after ${millis(delay.afterMs)}${delay.why === undefined ? '' : ` (${delay.why})`}`
          : `${delay.what} not ${delay.verb} by ${moment(delay.fromMs + waitedMs(delay))}`,
    ),
  };
}

/**
 * Requests of which none may be there.
 * @param excessOf by how many ms a request exceeds what is allowed; `Infinity` when no time would make it good
 */
export function assessRequests(
  recording: Recording,
  bad: readonly RequestRow[],
  excessOf: (request: RequestRow) => number = () => Number.POSITIVE_INFINITY,
) {
  return {
    troubles: bad.map((request): Trouble => {
      const excessMs = excessOf(request);
      return { ...spanOf(request), excessMs: Number.isFinite(excessMs) ? excessMs : undefined };
    }),
    details: worstLines(
      bad,
      ({ latencyMs }) => latencyMs,
      (request) => describeRequest(recording, request),
    ),
  };
}

/** From when a request was due until it ended. */
function spanOf(request: RequestRow): Span {
  return { fromMs: request.dueMs, toMs: endMsOf(request) };
}

/** An event that should not have been. */
export function troubleOf({ atMs, id }: ProxyEvent): Trouble {
  return { fromMs: atMs, toMs: atMs, servers: [id] };
}

/** The lines of the worst items, the worst first, no more than a finding holds. */
export function worstLines<Item>(
  items: readonly Item[],
  badness: (item: Item) => number,
  describe: (item: Item) => string,
): string[] {
  const ranked = items.toSorted((a, b) => badness(b) - badness(a) || 0);
  return ranked.slice(0, MAX_DETAILS).map(describe);
}

/** `12.345 s`, for a moment of the run. */
export function moment(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1000).toFixed(3)} s` : 'never';
}

/** `46.3 ms`, for a length of time. */
export function millis(ms: number): string {
  return Number.isInteger(ms) ? `${ms} ms` : `${Number.isFinite(ms) ? ms.toFixed(1) : '–'} ms`;
}

/** `3 evictions`, `1 eviction`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** The replica's name, or the server's id where it is not known. */
export function nameOf({ names }: Recording, serverId: string): string {
  return (Object.hasOwn(names, serverId) ? names[serverId] : undefined) ?? serverId;
}

/** A hit as the beginning of a line. */
export function describeHit({ fault, hit }: FaultHit): string {
  return `${moment(hit.fromMs)}: ${fault.kind} of ${hit.target}`;
}

/** One event as a line. */
export function describeEvent(recording: Recording, { atMs, type, id, why }: ProxyEvent): string {
  return `${moment(atMs)}: ${nameOf(recording, id)} ${type}: ${why}`;
}

/** One request as a line. */
export function describeRequest(recording: Recording, request: RequestRow): string {
  const { dueMs, policy, outcome, latencyMs, attempts, first } = request;
  const isById = outcome === 'ok' || outcome === 'wrong';
  const detail = isById ? `by ${nameOf(recording, request.detail)}` : request.detail;
  const before =
    first === null
      ? ''
      : `, attempt 1 of ${attempts}: ${first.outcome} ${first.detail} at ${moment(first.endMs)}`;
  return `${moment(dueMs)}: policy ${policy}, ${outcome} ${detail} after ${millis(latencyMs)}${before}`;
}
