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
  plural,
  worstLines,
} from './criterion.ts';
import { type Trouble, weigh } from './machine.ts';
import { overlaps, proxyOutages, requireRequests } from './queries.ts';
import { requestIndex, spanOf, unansweredAtEnd } from './request-index.ts';

// No machine is so slow that it changes an answer, or whom it reaches.
const UNCONDITIONAL = { isUnconditional: true };

/** Every request that was sent. Throws `CannotTell` when there was none. */
export function allSent(recording: Recording): readonly RequestRow[] {
  return requireRequests(requestIndex(recording).sent, 'was sent');
}

/** The verdict over requests of which none may be bad. */
export function noneOf(
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
