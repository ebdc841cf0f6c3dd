// pure · what the clients got: nothing wrong, nothing lost, nothing late, and errors only where they are allowed.

import { CannotTell } from '../../kit/verdict.ts';
import type { Recording, RequestRow } from '../journal.ts';
import { assessRequests, type Criterion, millis, plural } from './judge.ts';
import { NO_SERVER_LIMIT_MS, REQUEST_TIMEOUT_MS, SERVES_AGAIN_LIMIT_MS, SLACK_MS } from './limits.ts';
import {
  allSent,
  indexOf,
  overlaps,
  proxyOutages,
  type Span,
  slowestMs,
  warmUpEndMs,
  wrongAnswers,
} from './lookup.ts';
import { CERTAIN } from './machine.ts';
import { policyOutages } from './recovery.ts';

/** No answer with a wrong digest, to another request, or from a server of another policy. */
export function noWrong(): Criterion {
  return {
    name: 'no wrong answer',
    limit: '0 wrong',
    isUnconditional: true,
    assess(recording) {
      const sent = allSent(recording);
      const wrong = wrongAnswers(recording);
      return {
        ...assessRequests(recording, wrong),
        measured: `${wrong.length} wrong of ${plural(sent.length, 'request')}`,
        n: sent.length,
        troubles: wrong.map(() => CERTAIN),
      };
    },
  };
}

/** No answer that no request waited for. */
export function noStray(): Criterion {
  return {
    name: 'no stray answer',
    limit: '0 answers without a request',
    isUnconditional: true,
    assess(recording) {
      const { length } = allSent(recording);
      const { strayAnswers } = recording;
      return {
        measured: `${plural(strayAnswers, 'stray answer')} beside ${plural(length, 'request')}`,
        n: length,
        troubles: strayAnswers > 0 ? [CERTAIN] : [],
      };
    },
  };
}

/**
 * Every request got a reply, in the warm-up too. A client that tries again hides a loss: its first attempt may be lost
 * only while the proxy was not there. What was sent and had no reply when the load ended is lost as well.
 */
export function noLost(): Criterion {
  return {
    name: 'no request lost',
    limit: '0 lost',
    assess(recording) {
      const sent = allSent(recording);
      const outages = proxyOutages(recording);
      const unanswered = unansweredAtEnd(recording);
      const lost = sent.filter(
        ({ outcome, first }) =>
          outcome === 'lost' || (first !== null && first.outcome === 'lost' && !overlaps(first, outages)),
      );
      const n = sent.length + unanswered.length;
      const atEnd = unanswered.length === 0 ? '' : ` (${unanswered.length} unanswered when the load ended)`;
      return {
        ...assessRequests(recording, [...lost, ...unanswered]),
        measured: `${lost.length + unanswered.length} lost of ${plural(n, 'request')}${atEnd}`,
        n,
      };
    },
  };
}

/** Without replies when the load ended. A run that was cut short does not wait for them: there it is none. */
function unansweredAtEnd({ requests, cutShort }: Recording): readonly RequestRow[] {
  if (cutShort !== null) return [];
  return requests.filter(
    ({ outcome, detail, attempts }) => outcome === 'dropped' && detail === 'interrupted' && attempts > 0,
  );
}

/**
 * What one attempt got a right answer to got it in time, counted from its intended start. Left out is what was due while
 * the proxy was not there, or was sent several times.
 */
export function inTime(): Criterion {
  const limitMs = REQUEST_TIMEOUT_MS + SLACK_MS;
  return {
    name: 'answered in time',
    limit: `every answer within ${millis(limitMs)}`,
    assess(recording) {
      const outages = proxyOutages(recording);
      const answered = indexOf(recording).sent.filter(
        ({ outcome, attempts, dueMs }) =>
          outcome === 'ok' && attempts === 1 && !overlaps({ sentMs: dueMs, endMs: dueMs }, outages),
      );
      if (answered.length === 0) throw new CannotTell('no request was answered at the first attempt');
      const late = answered.filter(({ latencyMs }) => latencyMs > limitMs);
      return {
        ...assessRequests(recording, late, ({ latencyMs }) => latencyMs - limitMs),
        measured: `${late.length} late of ${plural(answered.length, 'answer')}, the slowest ${millis(slowestMs(answered))}`,
        n: answered.length,
      };
    },
  };
}

/**
 * For an error reply, by its code in `detail`: by how many milliseconds it exceeds what is allowed; 0 when it is allowed,
 * `Infinity` when no time would make it so.
 */
type ExcessOf = (error: RequestRow) => number;

/**
 * No error reply after the warm-up but those allowed. An error to a first attempt while the proxy was not there is none
 * when a later attempt went well.
 */
function errors(allowed: string, excessIn: (recording: Recording) => ExcessOf): Criterion {
  return {
    name: 'errors',
    limit: `0 errors${allowed}`,
    assess(recording) {
      const fromMs = warmUpEndMs(recording);
      const sent = allSent(recording).filter(({ dueMs }) => dueMs >= fromMs);
      if (sent.length === 0) throw new CannotTell('no request after the warm-up');
      const outages = proxyOutages(recording);
      const excessOf = excessIn(recording);
      const worstOf = (request: RequestRow): number => Math.max(...errorsOf(request, outages).map(excessOf));
      const erred = sent.filter((request) => errorsOf(request, outages).length > 0);
      const bad = erred.filter((request) => worstOf(request) > 0);
      const codes = [...Map.groupBy(bad, codeOf)].map(([code, rows]) => `, ${rows.length} ${code}`);
      return {
        ...assessRequests(recording, bad, worstOf),
        measured: `${bad.length} errors of ${plural(sent.length, 'request')}, ${erred.length - bad.length} allowed${codes.join('')}`,
        n: sent.length,
      };
    },
  };
}

/** No error reply after the warm-up at all. */
export function noErrors(): Criterion {
  return errors('', () => () => Number.POSITIVE_INFINITY);
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
 * No error reply, but of a policy all of whose servers were killed: `NO_SERVER` from the first hit until shortly after one
 * listens again, and `UPSTREAM_FAILED` for what was in flight when the last one died.
 */
export function noServerOnly(): Criterion {
  const allowed = ` but NO_SERVER within ${millis(NO_SERVER_LIMIT_MS)} while a policy has no server, and UPSTREAM_FAILED for what was in flight then`;
  return errors(allowed, (recording) => {
    const outages = policyOutages(recording);
    return ({ policy, dueMs, latencyMs, detail }) => {
      const isDown = outages.some((outage) => {
        if (outage.policy !== policy) return false;
        if (detail === 'NO_SERVER')
          return dueMs >= outage.firstHitMs && dueMs <= outage.listensMs + SERVES_AGAIN_LIMIT_MS;
        return (
          detail === 'UPSTREAM_FAILED' &&
          dueMs >= outage.lastHitMs - IN_FLIGHT_BEFORE_MS &&
          dueMs <= Math.max(outage.lastStruckMs + IN_FLIGHT_AFTER_MS, outage.lastOutMs + AFTER_OUT_MS)
        );
      });
      return isDown ? Math.max(0, latencyMs - NO_SERVER_LIMIT_MS) : Number.POSITIVE_INFINITY;
    };
  });
}
