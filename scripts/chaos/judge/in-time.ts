// pure · whether the proxy kept its promise of a reply within the request timeout.
// Must never count the clients' own patience for it: what they sent again says nothing of one reply.
import { CannotTell } from '../../kit/verdict.ts';
import { type Criterion, criterion, describeRequest, millis, plural, worstLines } from './criterion.ts';
import { REQUEST_TIMEOUT_MS, SLACK_MS } from './limits.ts';
import { weigh } from './machine.ts';
import { overlaps, proxyOutages } from './queries.ts';
import { requestIndex, spanOf } from './request-index.ts';

/**
 * Whatever one attempt got a right answer to got it in time, counted from its intended start. Left out is what was due
 * while the proxy was not there, or was sent several times.
 */
export function inTime({ deadlineMs = REQUEST_TIMEOUT_MS, slackMs = SLACK_MS } = {}): Criterion {
  const limitMs = deadlineMs + slackMs;
  return criterion('answered in time', `every answer within ${millis(limitMs)}`, (recording) => {
    const outages = proxyOutages(recording);
    const answered = requestIndex(recording).sent.filter(
      ({ outcome, attempts, dueMs }) =>
        outcome === 'ok' && attempts === 1 && !overlaps({ sentMs: dueMs, endMs: dueMs }, outages),
    );
    if (answered.length === 0) throw new CannotTell('no request was answered at the first attempt');
    const late = answered.filter(({ latencyMs }) => latencyMs > limitMs);
    const { verdict, notes } = weigh(
      recording,
      late.map((request) => ({ ...spanOf(request), excessMs: request.latencyMs - limitMs })),
    );
    const slowestMs = answered.reduce((max, { latencyMs }) => Math.max(max, latencyMs), 0);
    return {
      verdict,
      measured: `${late.length} late of ${plural(answered.length, 'answer')}, the slowest ${millis(slowestMs)}`,
      n: answered.length,
      details: [
        ...notes.slice(0, 1),
        ...worstLines(
          late,
          ({ latencyMs }) => latencyMs,
          (request) => describeRequest(recording, request),
        ),
      ],
    };
  });
}
