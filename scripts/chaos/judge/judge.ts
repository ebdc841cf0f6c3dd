// pure · what a criterion is, how a finding is made of what it sees, and the verdict over a run.

import type { ProxyEvent } from '../../kit/proxy-events.ts';
import { CannotTell, type Finding, type Judgement, worstVerdict } from '../../kit/verdict.ts';
import { plural } from '../../kit/words.ts';
import { INTERRUPTED, type Recording, type RequestRow, recordingsByProxy } from '../journal.ts';
import { couldTell, isConntrackFull, maxConntrack, type Trouble, takenMs } from './machine.ts';
import { endMsOf, millis, moment, Observations } from './observations.ts';

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
  assess(seen: Observations): Assessment | null;
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
  const views = recordingsByProxy(recording).map((view) => new Observations(view));
  const spoilt = whySpoilt(recording);
  const findings = criteria.flatMap((each) => {
    return worstOf(views.map((seen) => [seen.recording.proxy, findingOf(seen, each, spoilt)]));
  });
  const verdict = worstVerdict(findings.map((finding) => finding.verdict));
  return { verdict: spoilt !== null && verdict === 'pass' ? 'unknown' : verdict, findings };
}

/** The worst finding of a criterion over the views of all proxies, with the proxy's name when they differ; one or none. */
function worstOf(views: readonly (readonly [proxy: string, Finding | null])[]): Finding[] {
  const found = views.flatMap(([proxy, finding]) => (finding === null ? [] : [{ proxy, finding }]));
  const worst = worstVerdict(found.map(({ finding }) => finding.verdict));
  const [first] = found.filter(({ finding }) => finding.verdict === worst);
  if (first === undefined) return [];
  const { proxy, finding } = first;
  const isSame = found.every((each) => each.finding.measured === finding.measured);
  return [isSame ? finding : { ...finding, measured: `${proxy}: ${finding.measured}` }];
}

/** Why nothing that failed in this run can be held against the proxy; null when it can. */
function whySpoilt(recording: Recording): string | null {
  const { plan, faults, cutShort } = recording;
  // What has not had its time can't be held against the proxy.
  if (cutShort === INTERRUPTED) return cutShort;
  if (plan.faults.length > 0 && !faults.some(({ isProven }) => isProven))
    return `none of ${plural(plan.faults.length, 'planned fault')} happened`;
  if (!isConntrackFull(recording)) return null;
  return `the kernel tracked ${maxConntrack(recording)} connections, which slows Docker's network`;
}

function findingOf(seen: Observations, criterion: Criterion, spoilt: string | null): Finding | null {
  const assessment = assessOrUnknown(seen, criterion);
  if (assessment === null) return null;
  const { measured, limit = criterion.limit, n, troubles = [], isOpen = false } = assessment;
  const excused = troubles.filter((trouble) => !couldTell(seen.recording, trouble));
  const details = [...excuseFor(seen.recording, excused), ...(assessment.details ?? [])];
  const isBad = excused.length < troubles.length;
  const isSpoilt = isBad && spoilt !== null && !criterion.isUnconditional;
  if (isSpoilt) details.unshift(`It would be a fail, but ${spoilt}.`);
  const isFail = isBad && !isSpoilt && !criterion.neverFails;
  const verdict = isFail ? 'fail' : troubles.length > 0 || isOpen ? 'unknown' : 'pass';
  return { criterion: criterion.name, verdict, measured, limit, n, details: details.slice(0, MAX_DETAILS) };
}

function assessOrUnknown(seen: Observations, criterion: Criterion): Assessment | null {
  try {
    return criterion.assess(seen);
  } catch (error) {
    const { message, stack = '' } = error as Error;
    if (error instanceof CannotTell) return { measured: message, n: 0, isOpen: true };
    const details = stack.split('\n').slice(1, 4);
    return { measured: `The criterion itself failed: ${message}`, n: 0, isOpen: true, details };
  }
}

/** The first of the troubles that the machine explains, as a line. */
function excuseFor(recording: Recording, [first, ...others]: readonly Trouble[]): string[] {
  if (first === undefined) return [];
  const span = `${moment(first.fromMs)} to ${moment(first.toMs)}`;
  const taken = millis(Math.round(takenMs(recording, first, first.servers)));
  const more = others.length > 0 ? ` (and ${others.length} more like it)` : '';
  return [`${span}: the machine was too slow to tell, it kept ${taken} from those at work${more}`];
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
export function assessDelays(seen: Observations, delays: readonly Delay[], maxMs: number) {
  const isThere = ({ afterMs }: Delay): boolean => Number.isFinite(afterMs);
  const waitedMs = (delay: Delay): number =>
    isThere(delay) ? delay.afterMs : (delay.untilMs ?? seen.recording.endedMs) - delay.fromMs;
  const late = delays.filter(({ afterMs }) => afterMs > maxMs);
  const open = late.filter((delay) => waitedMs(delay) < maxMs && !delay.isDue);
  const bad = late.filter((delay) => !open.includes(delay));
  const came = delays.filter(isThere).map(({ afterMs }) => afterMs);
  const never = bad.filter((delay) => !isThere(delay)).length;
  const verb = delays[0]?.verb ?? '';
  const lineOf = (delay: Delay): string => {
    if (!isThere(delay)) return `not ${delay.verb} by ${moment(delay.fromMs + waitedMs(delay))}`;
    return `${delay.verb} after ${millis(delay.afterMs)}${delay.why === undefined ? '' : ` (${delay.why})`}`;
  };
  return {
    measured: [
      came.length > 0 ? `max ${millis(Math.max(...came))}, n = ${came.length}` : `none ${verb}`,
      ...(never > 0 ? [`${never} not ${verb}`] : []),
      ...(open.length > 0 ? [`${open.length} undecided`] : []),
    ].join('; '),
    n: delays.length - open.length,
    troubles: bad.map((delay): Trouble => {
      const [fromMs, excessMs] = [delay.fromMs, Math.max(0, waitedMs(delay) - maxMs)];
      return { fromMs, toMs: fromMs + waitedMs(delay), excessMs, servers: delay.servers };
    }),
    isOpen: open.length > 0,
    details: worstFirst(delays, ({ afterMs }) => afterMs).map((delay) => `${delay.what} ${lineOf(delay)}`),
  };
}

/**
 * Requests of which none may be there.
 * @param excessOf by how many ms a request exceeds what is allowed; `Infinity` when no time would make it good
 */
export function assessRequests(
  seen: Observations,
  bad: readonly RequestRow[],
  excessOf: (request: RequestRow) => number = () => Number.POSITIVE_INFINITY,
) {
  return {
    troubles: bad.map((request): Trouble => {
      const excessMs = excessOf(request);
      const span = { fromMs: request.dueMs, toMs: endMsOf(request) };
      return Number.isFinite(excessMs) ? { ...span, excessMs } : span;
    }),
    details: worstFirst(bad, ({ latencyMs }) => latencyMs).map((request) => seen.describeRequest(request)),
  };
}

/** Events of which none may be there. */
export function assessEvents(seen: Observations, bad: readonly ProxyEvent[]) {
  return { troubles: bad.map(troubleOf), details: bad.map((event) => seen.describeEvent(event)) };
}

/** That an event was there at all. */
export function troubleOf({ atMs, id }: Pick<ProxyEvent, 'atMs' | 'id'>): Trouble {
  return { fromMs: atMs, toMs: atMs, servers: [id] };
}

/** The worst items, the worst first, no more than a finding has details. */
export function worstFirst<Item>(items: readonly Item[], badness: (item: Item) => number): Item[] {
  return items.toSorted((a, b) => badness(b) - badness(a) || 0).slice(0, MAX_DETAILS);
}
