// pure · error replies: only those that a scenario allows, and only while it allows them.

import type { Recording, RequestRow } from '../journal.ts';
import { type Criterion, criterion, millis } from './criterion.ts';
import { policyOutages } from './policy-outages.ts';
import { overlaps, proxyOutages, requireRequests, type Span, warmUpEndMs } from './queries.ts';
import { allSent, noneOf } from './replies.ts';
import { spanOf } from './request-index.ts';

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
