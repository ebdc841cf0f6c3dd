// pure · what the clients got: nothing wrong, nothing lost, nothing late, and errors only where they are allowed.

import { CannotTell } from '../../kit/verdict.ts';
import { plural } from '../../kit/words.ts';
import type { RequestRow } from '../journal.ts';
import { policyOf } from '../plan.ts';
import { assessRequests, type Criterion } from './judge.ts';
import { NO_SERVER_LIMIT_MS, REQUEST_TIMEOUT_MS, SERVES_AGAIN_LIMIT_MS, SLACK_MS } from './limits.ts';
import { CERTAIN } from './machine.ts';
import { isIn, millis, type Observations, overlaps, slowestMs } from './observations.ts';
import { policyOutages } from './recovery.ts';

const IN_TIME_MS = REQUEST_TIMEOUT_MS + SLACK_MS;
const NO_TIME_MAKES_IT_GOOD = Number.POSITIVE_INFINITY;

/** No answer with a wrong digest, to another request, or from a server of another policy. */
export const noWrong: Criterion = {
  name: 'no wrong answer',
  limit: '0 wrong',
  isUnconditional: true,
  assess(seen) {
    const sent = seen.requireSent();
    const { names, plan } = seen.recording;
    const policies = new Map(Object.entries(names).map(([id, name]) => [id, policyOf(plan, name)]));
    const wrong = sent.filter(({ outcome, first, policy, detail }) => {
      if (outcome === 'wrong' || first?.outcome === 'wrong') return true;
      const answering = outcome === 'ok' ? (policies.get(detail) ?? null) : null;
      return answering !== null && answering !== policy;
    });
    const { details } = assessRequests(seen, wrong);
    const measured = `${wrong.length} wrong of ${plural(sent.length, 'request')}`;
    return { measured, n: sent.length, troubles: wrong.map(() => CERTAIN), details };
  },
};

/** No answer that no request waited for. */
export const noStray: Criterion = {
  name: 'no stray answer',
  limit: '0 answers without a request',
  isUnconditional: true,
  assess(seen) {
    const [n, stray] = [seen.requireSent().length, seen.recording.strayAnswers];
    const measured = `${plural(stray, 'stray answer')} beside ${plural(n, 'request')}`;
    return { measured, n, troubles: stray > 0 ? [CERTAIN] : [] };
  },
};

/**
 * Every request got a reply, in the warm-up too. A client that tries again hides a loss: its first attempt may be lost
 * only while the proxy was not there. What was sent and had no reply when the load ended is lost as well, but not in a run
 * that was cut short: that does not wait for replies.
 */
export const noLost: Criterion = {
  name: 'no request lost',
  limit: '0 lost',
  assess(seen) {
    const { requests, cutShort } = seen.recording;
    const sent = seen.requireSent();
    const unanswered = requests.filter(
      ({ outcome, detail, attempts }) =>
        cutShort === null && outcome === 'dropped' && detail === 'interrupted' && attempts > 0,
    );
    const lost = sent.filter(({ outcome, first }) => {
      if (outcome === 'lost') return true;
      return first?.outcome === 'lost' && !overlaps(first, seen.proxyOutages);
    });
    const bad = [...lost, ...unanswered];
    const n = sent.length + unanswered.length;
    const atEnd = unanswered.length === 0 ? '' : ` (${unanswered.length} unanswered when the load ended)`;
    const measured = `${bad.length} lost of ${plural(n, 'request')}${atEnd}`;
    return { ...assessRequests(seen, bad), measured, n };
  },
};

/**
 * What one attempt got a right answer to got it in time, counted from its intended start. Left out is what was due while
 * the proxy was not there, or was sent several times.
 */
export const inTime: Criterion = {
  name: 'answered in time',
  limit: `every answer within ${millis(IN_TIME_MS)}`,
  assess(seen) {
    const answered = seen.sent.filter(
      ({ outcome, attempts, dueMs }) => outcome === 'ok' && attempts === 1 && !isIn(dueMs, seen.proxyOutages),
    );
    if (answered.length === 0) throw new CannotTell('no request was answered at the first attempt');
    const late = answered.filter(({ latencyMs }) => latencyMs > IN_TIME_MS);
    return {
      ...assessRequests(seen, late, ({ latencyMs }) => latencyMs - IN_TIME_MS),
      measured: `${late.length} late of ${plural(answered.length, 'answer')}, the slowest ${millis(slowestMs(answered))}`,
      n: answered.length,
    };
  },
};

/** By how many milliseconds an error reply, with its code in `detail`, exceeds what is allowed; 0 when it is allowed. */
type ExcessOf = (error: RequestRow) => number;

/**
 * No error reply after the warm-up but those allowed. An error to a first attempt while the proxy was not there is none
 * when a later attempt went well.
 */
const errors = (allowed: string, excessIn: (seen: Observations) => ExcessOf): Criterion => ({
  name: 'errors',
  limit: `0 errors${allowed}`,
  assess(seen) {
    const sent = seen.requireSent().filter(({ dueMs }) => dueMs >= seen.warmUpEndMs);
    if (sent.length === 0) throw new CannotTell('no request after the warm-up');
    const excessOf = excessIn(seen);
    const worstOf = (request: RequestRow): number => Math.max(...errorsOf(seen, request).map(excessOf));
    const erred = sent.filter((request) => errorsOf(seen, request).length > 0);
    const bad = erred.filter((request) => worstOf(request) > 0);
    const codes = [...Map.groupBy(bad, codeOf)].map(([code, rows]) => `, ${rows.length} ${code}`);
    return {
      ...assessRequests(seen, bad, worstOf),
      measured: `${bad.length} errors of ${plural(sent.length, 'request')}, ${erred.length - bad.length} allowed${codes.join('')}`,
      n: sent.length,
    };
  },
});

/** No error reply after the warm-up at all. */
export const noErrors = errors('', () => () => NO_TIME_MAKES_IT_GOOD);

/** The error replies that a request got, each as if it had been the only one. */
function errorsOf({ proxyOutages }: Observations, request: RequestRow): RequestRow[] {
  const { first, outcome, dueMs } = request;
  const last = outcome === 'error' ? [request] : [];
  if (first?.outcome !== 'error' || (outcome === 'ok' && overlaps(first, proxyOutages))) return last;
  return [{ ...request, outcome: 'error', detail: first.detail, latencyMs: first.endMs - dueMs }, ...last];
}

function codeOf({ outcome, detail, first }: RequestRow): string {
  return outcome === 'error' ? detail : (first?.detail ?? '');
}

/**
 * No error reply, but of a policy all of whose servers were killed: `NO_SERVER` from the first hit until shortly after one
 * listens again, and `UPSTREAM_FAILED` for what was in flight when the last one died.
 */
export const noServerOnly = errors(
  ` but NO_SERVER within ${millis(NO_SERVER_LIMIT_MS)} while a policy has no server, and UPSTREAM_FAILED for what was in flight then`,
  (seen) => {
    const outages = policyOutages(seen);
    return ({ policy, dueMs, latencyMs, detail }) => {
      const own = outages.filter((outage) => outage.policy === policy);
      const refused = own.map((outage) => {
        return { fromMs: outage.firstHitMs, toMs: outage.listensMs + SERVES_AGAIN_LIMIT_MS };
      });
      const isAllowed =
        (detail === 'NO_SERVER' && isIn(dueMs, refused)) ||
        (detail === 'UPSTREAM_FAILED' &&
          isIn(
            dueMs,
            own.map(({ inFlight }) => inFlight),
          ));
      return isAllowed ? Math.max(0, latencyMs - NO_SERVER_LIMIT_MS) : NO_TIME_MAKES_IT_GOOD;
    };
  },
);
