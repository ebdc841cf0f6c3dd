import {
  during,
  type FaultSketch,
  type Sketch,
  testCases,
} from '../../../test-support/chaos/recording-builder.ts';
import type { RequestRow } from '../journal.ts';
import { inTime } from './in-time.ts';

/** The request of policy 1 due at `atMs` (a multiple of 20) with other results. */
const at = (atMs: number, changes: Partial<RequestRow>): Sketch => ({
  traffic: during([atMs, atMs + 1], '1', changes),
});
const PROXY_KILL: FaultSketch = { kind: 'proxy-kill', hits: [['proxy', 6000, 7000, 7300]] };
const inProxyKill = (sketch: Sketch): Sketch => ({ faults: [PROXY_KILL], ...sketch });
const LATE = { latencyMs: 2250.1 };

testCases(inTime(), [
  ['all well', {}, 'pass', /0 late of 2000 answers, the slowest 2 ms/],
  ['at the limit', at(6000, { latencyMs: 2250 }), 'pass', /the slowest 2250 ms/],
  ['above it', at(6000, LATE), 'fail', /1 late of 2000(.|\n)*6\.000 s: policy 1, ok by server-p1-1/],
  ['in the warm-up', at(0, LATE), 'fail'],
  [
    'a fault is no excuse',
    { ...at(6000, LATE), faults: [{ kind: 'pause', hits: [['a1', 6000, 9000]] }] },
    'fail',
  ],
  ['where clients try again, too', { ...at(6000, LATE), plan: { retryForMs: 8000 } }, 'fail'],
  ['sent twice', at(6000, { ...LATE, attempts: 2 }), 'pass', /of 1999 answers/],
  ['an error', at(6000, { ...LATE, outcome: 'error' }), 'pass', /of 1999 answers/],
  ['due while the proxy was out', inProxyKill(at(9800, LATE)), 'pass'],
  ['due before', inProxyKill(at(5980, LATE)), 'fail'],
  ['due after', inProxyKill(at(9820, LATE)), 'fail'],
  ['nothing answered', { traffic: (row) => ({ ...row, outcome: 'error' }) }, 'unknown', /no request was/],
]);
testCases(inTime({ deadlineMs: 100, slackMs: 10 }), [
  ['at the limit', at(6000, { latencyMs: 110 }), 'pass'],
  ['above it', at(6000, { latencyMs: 111 }), 'fail'],
]);
