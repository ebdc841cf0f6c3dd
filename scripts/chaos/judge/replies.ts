// pure · what the clients got: nothing wrong, nothing lost, and errors only where they are allowed.
// Must never count a request that the load generator dropped, but for those it sent and never had an answer to.
import type { Recording, RequestRow } from '../journal.ts';
import { policyOf } from '../plan.ts';
import {
  type Assessment,
  type Criterion,
  criterion,
  describeRequest,
  MAX_DETAILS,
  millis,
  plural,
  worstLines,
} from './criterion.ts';
import { type Trouble, weigh } from './machine.ts';
import { policyOutages } from './policy-outages.ts';
import { overlaps, proxyOutages, requireRequests, type Span, warmUpEndMs } from './queries.ts';
import { requestIndex, spanOf, unansweredAtEnd } from './request-index.ts';

// No machine is so slow that it changes an answer, or whom it reaches.
const UNCONDITIONAL = { isUnconditional: true };

function allSent(recording: Recording): readonly RequestRow[] {
  return requireRequests(requestIndex(recording).sent, 'was sent');
}

/** The verdict over requests of which none may be bad. */
function noneOf(
  recording: Recording,
  sent: readonly RequestRow[],
  bad: readonly RequestRow[],
  what: string,
  troubleOf: (request: RequestRow) => Trouble = spanOf,
): Assessment {
  const { verdict, notes } = weigh(recording, bad.map(troubleOf));
  return {
    verdict,
    measured: `${bad.length} ${what} of ${plural(sent.length, 'request')}`,
    n: sent.length,
    details: [
      ...notes.slice(0, 1),
      ...worstLines(
        bad,
        ({ latencyMs }) => latencyMs,
        (request) => describeRequest(recording, request),
      ),
    ],
  };
}

/** No answer with a wrong digest, to somebody else's request, or from a server of another policy. */
export function noWrong(): Criterion {
  return criterion(
    'no wrong answer',
    '0 wrong',
    (recording) => {
      const sent = allSent(recording);
      const wrong = wrongAnswers(recording);
      const details = wrong.slice(0, MAX_DETAILS).map((request) => describeRequest(recording, request));
      return {
        verdict: wrong.length === 0 ? 'pass' : 'fail',
        measured: `${wrong.length} wrong of ${plural(sent.length, 'request')}`,
        n: sent.length,
        details,
      };
    },
    UNCONDITIONAL,
  );
}

/** The requests that were answered wrongly: by their digest, or by the policy of the server that answered. */
export function wrongAnswers(recording: Recording): RequestRow[] {
  const policies = new Map(Object.entries(recording.names).map(([id, name]) => [id, policyOf(name)]));
  return requestIndex(recording).sent.filter(({ outcome, first, policy, detail }) => {
    if (outcome === 'wrong' || first?.outcome === 'wrong') return true;
    const answering = outcome === 'ok' ? (policies.get(detail) ?? null) : null;
    return answering !== null && answering !== policy;
  });
}

/** No answer that nobody waited for. */
export function noStray(): Criterion {
  return criterion(
    'no stray answer',
    '0 answers without a request',
    (recording) => {
      const { length } = allSent(recording);
      const { strayAnswers } = recording;
      return {
        verdict: strayAnswers === 0 ? 'pass' : 'fail',
        measured: `${plural(strayAnswers, 'stray answer')} beside ${plural(length, 'request')}`,
        n: length,
      };
    },
    UNCONDITIONAL,
  );
}

/**
 * Every request got a reply, in the warm-up too. A client that tries again hides a loss: its first attempt may be lost
 * only while the proxy was not there. What was sent and had no reply when the load ended is lost as well.
 */
export function noLost(): Criterion {
  return criterion('no request lost', '0 lost', (recording) => {
    const sent = allSent(recording);
    const outages = proxyOutages(recording);
    const lost = sent.filter(
      ({ outcome, first }) =>
        outcome === 'lost' || (first !== null && first.outcome === 'lost' && !overlaps(first, outages)),
    );
    const unanswered = unansweredAtEnd(recording);
    const finding = noneOf(recording, [...sent, ...unanswered], [...lost, ...unanswered], 'lost');
    if (unanswered.length === 0) return finding;
    const measured = `${finding.measured} (${unanswered.length} unanswered when the load ended)`;
    return { ...finding, measured };
  });
}

/** Says what a count without loss shows; for information. */
export function lostBound(): Criterion {
  return criterion('loss rate', 'for information', (recording) => {
    const unanswered = unansweredAtEnd(recording).length;
    const length = allSent(recording).length + unanswered;
    const forGood = requestIndex(recording).sent.filter(({ outcome }) => outcome === 'lost').length;
    const lost = forGood + unanswered;
    const bound = Number((300 / length).toPrecision(2));
    const measured =
      lost === 0
        ? `0 lost of ${length}: the loss rate is below 3/n = ${bound} % (95 %)`
        : `${lost} lost of ${length}: ${Number(((lost / length) * 100).toPrecision(2))} %`;
    return { verdict: 'pass', measured, n: length };
  });
}

/** Errors that a scenario allows. */
export type Allowance = {
  /** In words, for the limit. */
  what: string;
  /**
   * Looks at the recording once, then at every error: an error reply by its code in `detail`. By how many milliseconds it
   * exceeds what is allowed: 0 when it is allowed, `Infinity` when no time would make it so.
   */
  of(recording: Recording): (request: RequestRow) => number;
};

/**
 * No error reply after the warm-up but those allowed. An error to a first attempt while the proxy was not there is none
 * when a later attempt went well.
 */
export function errors({ allow = [] }: { allow?: readonly Allowance[] } = {}): Criterion {
  const limit = allow.length === 0 ? '0 errors' : `0 errors but ${allow.map(({ what }) => what).join('; ')}`;
  return criterion('errors', limit, (recording) => {
    const fromMs = warmUpEndMs(recording);
    const sent = allSent(recording).filter(({ dueMs }) => dueMs >= fromMs);
    requireRequests(sent, 'after the warm-up');
    const outages = proxyOutages(recording);
    const allowances = allow.map((each) => each.of(recording));
    const excessOf = (request: RequestRow): number =>
      Math.min(Number.POSITIVE_INFINITY, ...allowances.map((exceeds) => exceeds(request)));
    const erred = sent.filter((request) => errorsOf(request, outages).length > 0);
    const bad = erred.filter((request) => errorsOf(request, outages).some((each) => excessOf(each) > 0));
    const counted = noneOf(recording, sent, bad, 'errors', (request) => {
      const excessMs = Math.max(...errorsOf(request, outages).map(excessOf));
      return { ...spanOf(request), ...(Number.isFinite(excessMs) && { excessMs }) };
    });
    const codes = Object.entries(Object.groupBy(bad, codeOf)).map(
      ([code, rows]) => `${rows?.length} ${code}`,
    );
    const byCode = codes.length === 0 ? '' : ` (${codes.join(', ')})`;
    const allowed = allow.length === 0 ? '' : `, ${erred.length - bad.length} allowed`;
    return { ...counted, measured: `${counted.measured}${byCode}${allowed}` };
  });
}

/** No error reply after the warm-up at all. */
export function noErrors(): Criterion {
  return errors();
}

/** As `noErrors`, but for a policy all of whose servers were killed. */
export function noServerOnly(limits: { withinMs?: number; untilMs?: number } = {}): Criterion {
  return errors({ allow: [whilePolicyIsDown(limits)] });
}

/** The error replies that a request got, each as if it had been the only one. */
function errorsOf(request: RequestRow, outages: readonly Span[]): RequestRow[] {
  const last = request.outcome === 'error' ? [request] : [];
  const { first, outcome, dueMs } = request;
  if (first === null || first.outcome !== 'error') return last;
  if (outcome === 'ok' && overlaps(first, outages)) return last;
  return [{ ...request, outcome: 'error', detail: first.detail, latencyMs: first.endMs - dueMs }, ...last];
}

function codeOf({ outcome, detail, first }: RequestRow): string {
  return outcome === 'error' ? detail : (first?.detail ?? '');
}

// A request on its way to the last server when that was hit: sent shortly before, or before its end was seen.
const IN_FLIGHT_BEFORE_MS = 100;
const IN_FLIGHT_AFTER_MS = 50;
const AFTER_OUT_MS = 10;

/**
 * Errors of a policy all of whose servers were killed: `NO_SERVER` from the first hit until `untilMs` after one listens
 * again, and `UPSTREAM_FAILED` for what was in flight when the last one died; each within `withinMs`.
 */
function whilePolicyIsDown({ withinMs = 600, untilMs = 600 } = {}): Allowance {
  return {
    what: `NO_SERVER within ${millis(withinMs)} while a policy has no server, and UPSTREAM_FAILED for what was in flight then`,
    of(recording) {
      const outages = policyOutages(recording);
      return ({ policy, dueMs, latencyMs, detail }) => {
        const isDown = outages.some((outage) => {
          if (outage.policy !== policy) return false;
          if (detail === 'NO_SERVER')
            return dueMs >= outage.firstHitMs && dueMs <= outage.listensMs + untilMs;
          return (
            detail === 'UPSTREAM_FAILED' &&
            dueMs >= outage.lastHitMs - IN_FLIGHT_BEFORE_MS &&
            dueMs <= Math.max(outage.lastStruckMs + IN_FLIGHT_AFTER_MS, outage.lastOutMs + AFTER_OUT_MS)
          );
        });
        return isDown ? Math.max(0, latencyMs - withinMs) : Number.POSITIVE_INFINITY;
      };
    },
  };
}
