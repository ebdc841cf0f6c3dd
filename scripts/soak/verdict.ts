// pure · what is recorded of a soak (times in ms after the churn has begun), and its judgement.
import { percentile } from '../kit/percentile.ts';
import { type Finding, type Judgement, type Verdict, worstVerdict } from '../kit/verdict.ts';
import type { Outcome } from '../load/exchange.ts';
import { type Action, SERVERS } from './plan.ts';

/** Less than this is too short to tell growth from a start. */
const MIN_CHURN_MS = 120_000;
const MAX_GROWTH_BYTES = 1_000_000;
const MAX_DROPPED_SHARE = 0.001;
const MAX_SKIPPED_SHARE = 0.2;
const MIN_WINDOW_MS = 15_000;
const MAX_WINDOWS = 12;
const MIN_WINDOWS = 4;

/** How many files of each kind a process has open. */
export type Handles = Readonly<Record<string, number>>;

/** One moment of the proxy; null where it gave no answer. */
export type Sample = {
  atMs: number;
  residentBytes: number;
  handles: Handles;
  /** From clients and servers to its port. */
  connections: number | null;
  /** Servers in the table, and those of them in rotation. */
  servers: number | null;
  ready: number | null;
  /** Of the time since the last sample. */
  counts: Record<Outcome, number>;
};

/** The proxy with all servers in rotation and no client; servers as `policy/id`, with their state unless ready. */
export type Rest = { handles: Handles; connections: number; servers: readonly string[] };

/** `isSkipped`: it would have taken the last healthy server of a policy. */
export type DoneAction = { action: Action; atMs: number; endedMs: number | null; isSkipped: boolean };

export type Soak = {
  version: 1;
  /** ISO 8601. */
  startedAt: string;
  seed: number;
  rate: number;
  plannedMs: number;
  /** How long the churn went on. */
  churnMs: number;
  /** Until when samples were taken. */
  endedMs: number;
  samples: Sample[];
  actions: DoneAction[];
  /** From the first request to the last, before and after the churn too. */
  counts: Record<Outcome, number>;
  /** The first requests that did not end well, a line each. */
  faults: string[];
  strayAnswers: number;
  /** Before and after; null when that was not reached. */
  before: Rest | null;
  after: Rest | null;
  /** How the proxy ended by itself; null when it did not. */
  proxyEnded: string | null;
  /** What else went wrong, so that the run shows less than it was to show. */
  problems: string[];
  cutShort: string | null;
};

type Assessment = Omit<Finding, 'criterion' | 'limit' | 'details'> & { details?: string[] };
const NOT_REACHED: Assessment = { verdict: 'unknown', measured: 'the end was not reached', n: 0 };

/** The judgement of a soak. An interruption is unknown, except for what has failed by then. */
export function judgeSoak(soak: Soak): Judgement {
  const { counts, strayAnswers, proxyEnded, samples } = soak;
  const finding = (criterion: string, limit: string, assessment: Assessment): Finding => {
    return { criterion, limit, details: [], ...assessment };
  };
  const proxy = { verdict: passIf(proxyEnded === null), measured: proxyEnded ?? 'it lived' };
  const findings = [
    finding('no request lost', '0 lost', none(soak, counts.lost, `${counts.lost} lost of ${answered(soak)}`)),
    finding(
      'no wrong answer',
      '0 wrong, 0 unrequested',
      none(soak, counts.wrong + strayAnswers, `${counts.wrong} wrong, ${strayAnswers} unrequested`),
    ),
    finding(
      'no request refused',
      '0 error replies: a healthy server was there',
      none(soak, counts.error, `${counts.error} error replies`),
    ),
    finding('memory', 'at most 1 MB more a minute, in the second half', memory(soak)),
    finding(
      'open files',
      'as many as before, at rest',
      unchanged(soak, ({ handles }) => handles),
    ),
    finding(
      'connections',
      'as many as before, at rest',
      unchanged(soak, ({ connections: all }) => ({ all })),
    ),
    finding('policy table', 'the servers that live, all in rotation', table(soak)),
    finding('the proxy lives', 'it runs until it is stopped', { ...proxy, n: samples.length }),
    finding('the run was as planned', 'whole, with its load and its churn', whole(soak)),
  ];
  return { verdict: worstVerdict(findings.map(({ verdict }) => verdict)), findings };
}

function passIf(isGood: boolean): Verdict {
  return isGood ? 'pass' : 'fail';
}

function answered({ counts: { ok, wrong, error, lost } }: Soak): number {
  return ok + wrong + error + lost;
}

function none(soak: Soak, bad: number, measured: string): Assessment {
  const n = answered(soak);
  // Nothing sent is nothing shown.
  if (bad === 0) return { verdict: n === 0 ? 'unknown' : 'pass', measured, n };
  return { verdict: 'fail', measured, n, details: soak.faults };
}

function memory(soak: Soak): Assessment {
  const lows = lowsOf(soak);
  const bytes = soak.churnMs < MIN_CHURN_MS ? null : growthPerMinute(lows);
  if (bytes === null) {
    const measured = `too short to tell: ${(soak.churnMs / 1000).toFixed(0)} s of churn, and it takes ${MIN_CHURN_MS / 1000} s`;
    return { verdict: 'unknown', measured, n: lows.length };
  }
  const [first = 0, last = 0] = [lows[0]?.bytes, lows.at(-1)?.bytes];
  const growth = `${bytes >= 0 ? '+' : '−'}${Math.abs(bytes / 1e6).toFixed(2)} MB a minute`;
  const measured = `${growth} (${lows.length} lows, from ${(first / 1e6).toFixed(1)} to ${(last / 1e6).toFixed(1)} MB)`;
  return { verdict: passIf(bytes <= MAX_GROWTH_BYTES), measured, n: lows.length };
}

/** Whether the sum is what it was; if not, by kind. */
function unchanged({ before, after }: Soak, kindsOf: (rest: Rest) => Handles): Assessment {
  if (before === null || after === null) return NOT_REACHED;
  const [then, now] = [kindsOf(before), kindsOf(after)];
  const measured = `${totalOf(now)}, before ${totalOf(then)}`;
  if (totalOf(now) === totalOf(then)) return { verdict: 'pass', measured, n: 2 };
  const changed = Object.keys({ ...then, ...now }).filter((kind) => now[kind] !== then[kind]);
  const details = changed.map((kind) => `${kind}: ${now[kind] ?? 0}, before ${then[kind] ?? 0}`);
  return { verdict: 'fail', measured, n: 2, details };
}

export function totalOf(of: Handles): number {
  return Object.values(of).reduce((sum, n) => sum + n, 0);
}

function table({ after }: Soak): Assessment {
  if (after === null) return NOT_REACHED;
  const living = SERVERS.map(({ id, policy }) => `${policy}/${id}`);
  const details = [
    ...living.filter((id) => !after.servers.includes(id)).map((id) => `missing or not in rotation: ${id}`),
    ...after.servers.filter((id) => !living.includes(id)).map((id) => `dead, or not in rotation: ${id}`),
  ];
  const measured = `${after.servers.length} in it, ${living.length} live`;
  return { verdict: passIf(details.length === 0), measured, n: living.length, details };
}

function whole(soak: Soak): Assessment {
  const { counts, actions, problems, cutShort, endedMs } = soak;
  const due = answered(soak) + counts.dropped;
  const skipped = actions.filter(({ isSkipped }) => isSkipped).length;
  const details = [...problems];
  if (cutShort !== null) details.push(`cut short after ${(endedMs / 1000).toFixed(0)} s: ${cutShort}`);
  if (counts.dropped > due * MAX_DROPPED_SHARE)
    details.push(`${counts.dropped} of ${due} requests were not sent: the load itself could not keep up`);
  if (skipped > actions.length * MAX_SKIPPED_SHARE)
    details.push(`${skipped} actions were left out: no other server of the policy was in rotation`);
  const measured = `${actions.length - skipped} actions, ${skipped} left out, ${counts.dropped} requests not sent`;
  return { verdict: details.length === 0 ? 'pass' : 'unknown', measured, n: actions.length, details };
}

/** The least that was resident in a window of time, and the middle of that. */
export type Low = { atMs: number; bytes: number };

/**
 * The least memory in each window of the second half of the churn: what the collector has not got round to is no growth.
 * The longer the time, the longer the windows, so that a tooth of the collector's saw fits into one.
 */
export function lowsOf({ samples, churnMs }: Pick<Soak, 'samples' | 'churnMs'>): Low[] {
  const fromMs = churnMs / 2;
  const windowMs = Math.max(MIN_WINDOW_MS, fromMs / MAX_WINDOWS);
  const lows = Array.from({ length: Math.floor(fromMs / windowMs) }, (_, index) => {
    const start = fromMs + index * windowMs;
    const within = samples.filter(({ atMs }) => atMs >= start && atMs < start + windowMs);
    const bytes = Math.min(...within.map(({ residentBytes }) => residentBytes));
    return { atMs: start + windowMs / 2, bytes };
  });
  return lows.filter(({ bytes }) => Number.isFinite(bytes));
}

/**
 * The slope of the lows by Theil and Sen: the median of the slopes between all pairs, which nearly a third of the values
 * may be wrong without moving (H. Theil 1950, P. K. Sen 1968). A line of least squares would follow one late collection.
 * @returns bytes a minute; null where there are too few windows to tell
 */
function growthPerMinute(lows: readonly Low[]): number | null {
  if (lows.length < MIN_WINDOWS) return null;
  const slopes = lows.flatMap((from, at) =>
    lows.slice(at + 1).map((to) => ((to.bytes - from.bytes) / (to.atMs - from.atMs)) * 60_000),
  );
  return percentile(slopes, 50);
}
