// pure · what was seen in a soak → pass, fail or unknown, with the number and the bound of each finding.
// Must never let what was not seen look like a good sign: it is unknown.
import { type Finding, type Judgement, type Verdict, worstVerdict } from '../kit/verdict.ts';
import { growthPerMinute, lowsOf } from './growth.ts';
import type { Handles, Soak } from './journal.ts';

/** Less than this is too short to tell growth from a start. */
const MIN_CHURN_MS = 120_000;
const MAX_GROWTH_BYTES = 1_000_000;
const MAX_DROPPED_SHARE = 0.001;
const MAX_SKIPPED_SHARE = 0.2;

type Assessment = Omit<Finding, 'criterion' | 'limit' | 'details'> & { details?: readonly string[] };

/** The judgement of a soak. An interruption is unknown, except for what has failed by then. */
export function judgeSoak(soak: Soak): Judgement {
  const findings = [
    finding('no request lost', '0 lost', lost(soak)),
    finding('no wrong answer', '0 wrong, 0 that nobody asked for', wrong(soak)),
    finding('no request refused', '0 error replies: a healthy server was there', refused(soak)),
    finding('memory', 'at most 1 MB more a minute, in the second half', memory(soak)),
    finding('open files', 'as many as before, at rest', handles(soak)),
    finding('connections', 'as many as before, at rest', connections(soak)),
    finding('policy table', 'the servers that live, all in rotation', table(soak)),
    finding('the proxy lives', 'it runs until it is stopped', proxy(soak)),
    finding('the run was what it was to be', 'whole, with its load and its churn', whole(soak)),
  ];
  return { verdict: worstVerdict(findings.map(({ verdict }) => verdict)), findings };
}

function finding(criterion: string, limit: string, { details = [], ...rest }: Assessment): Finding {
  return { criterion, limit, ...rest, details: [...details] };
}

function passIf(isGood: boolean): Verdict {
  return isGood ? 'pass' : 'fail';
}

function ended({ counts }: Soak): number {
  return counts.ok + counts.wrong + counts.error + counts.lost;
}

// Nothing sent is nothing shown.
function none(soak: Soak, bad: number): Verdict {
  return bad === 0 && ended(soak) === 0 ? 'unknown' : passIf(bad === 0);
}

function lost(soak: Soak): Assessment {
  const { lost: bad } = soak.counts;
  const details = bad > 0 ? soak.faults : [];
  return { verdict: none(soak, bad), measured: `${bad} lost of ${ended(soak)}`, n: ended(soak), details };
}

function wrong(soak: Soak): Assessment {
  const { counts, strayAnswers } = soak;
  const measured = `${counts.wrong} wrong, ${strayAnswers} that nobody asked for`;
  return { verdict: none(soak, counts.wrong + strayAnswers), measured, n: ended(soak) };
}

function refused(soak: Soak): Assessment {
  const { error } = soak.counts;
  const codes = Object.entries(soak.errors).map(([code, times]) => `${times} × ${code}`);
  const details = error > 0 ? [...codes, ...soak.faults] : [];
  return { verdict: none(soak, error), measured: `${error} error replies`, n: ended(soak), details };
}

function memory({ samples, churnMs }: Soak): Assessment {
  const lows = lowsOf(samples, churnMs / 2, churnMs);
  const bytes = churnMs < MIN_CHURN_MS ? null : growthPerMinute(lows);
  if (bytes === null) {
    const measured = `too short to tell: ${(churnMs / 1000).toFixed(0)} s of churn, and it takes ${MIN_CHURN_MS / 1000} s`;
    return { verdict: 'unknown', measured, n: lows.length };
  }
  const [first, last] = [lows[0], lows.at(-1)].map((low) => megabytes(low?.bytes ?? 0));
  const measured = `${signed(bytes / 1e6)} MB a minute (${lows.length} lows, from ${first} to ${last} MB)`;
  return { verdict: passIf(bytes <= MAX_GROWTH_BYTES), measured, n: lows.length };
}

function handles({ before, after }: Soak): Assessment {
  if (before === null || after === null) return NO_REST;
  const measured = `${after.handles.total}, before ${before.handles.total}`;
  const isSame = after.handles.total === before.handles.total;
  const details = isSame ? [] : differences(before.handles, after.handles);
  return { verdict: passIf(isSame), measured, n: 2, details };
}

function differences(before: Handles, after: Handles): string[] {
  return (['sockets', 'pipes', 'files', 'others'] as const)
    .filter((kind) => before[kind] !== after[kind])
    .map((kind) => `${kind}: ${after[kind]}, before ${before[kind]}`);
}

function connections({ before, after }: Soak): Assessment {
  if (before === null || after === null) return NO_REST;
  const measured = `${after.connections}, before ${before.connections}`;
  return { verdict: passIf(after.connections === before.connections), measured, n: 2 };
}

function table({ after, living }: Soak): Assessment {
  if (after === null) return NO_REST;
  const missing = living.filter((id) => !after.servers.includes(id));
  const surplus = after.servers.filter((id) => !living.includes(id));
  return {
    verdict: passIf(missing.length + surplus.length === 0),
    measured: `${after.servers.length} in it, ${living.length} live`,
    n: living.length,
    details: [
      ...missing.map((id) => `missing or not in rotation: ${id}`),
      ...surplus.map((id) => `lives no more, or not in rotation: ${id}`),
    ],
  };
}

const NO_REST: Assessment = { verdict: 'unknown', measured: 'the end was not reached', n: 0 };

function proxy({ proxyEnded, samples }: Soak): Assessment {
  return { verdict: passIf(proxyEnded === null), measured: proxyEnded ?? 'it lived', n: samples.length };
}

function whole({ counts, deeds, problems, cutShort, endedMs }: Soak): Assessment {
  const due = counts.ok + counts.wrong + counts.error + counts.lost + counts.dropped;
  const skipped = deeds.filter(({ isSkipped }) => isSkipped).length;
  const reasons = [
    ...(cutShort === null ? [] : [`cut short after ${(endedMs / 1000).toFixed(0)} s: ${cutShort}`]),
    ...(counts.dropped > due * MAX_DROPPED_SHARE
      ? [`${counts.dropped} of ${due} requests were not sent: the load itself could not keep up`]
      : []),
    ...(skipped > deeds.length * MAX_SKIPPED_SHARE
      ? [`${skipped} of ${deeds.length} deeds were left out: no other server of the policy was in rotation`]
      : []),
    ...problems,
  ];
  const measured = `${deeds.length - skipped} deeds, ${skipped} left out, ${counts.dropped} requests not sent`;
  return { verdict: reasons.length === 0 ? 'pass' : 'unknown', measured, n: deeds.length, details: reasons };
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function signed(value: number): string {
  return `${value >= 0 ? '+' : '−'}${Math.abs(value).toFixed(2)}`;
}
