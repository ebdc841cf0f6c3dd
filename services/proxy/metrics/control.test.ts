import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { State } from '../health/health.ts';
import { newcomer } from '../health/health.ts';
import { Upstream } from '../servers/upstream.ts';
import { ControlCounts, LoopDelay } from './control.ts';

function serverIn(state: State, { passedMs = 0, lastAnswerMs = 0 } = {}): Upstream {
  const registration = {
    id: 1,
    policy: '1',
    host: '127.0.0.1',
    port: 9000,
    keepsAlive: true,
    incarnation: null,
  };
  const upstream = new Upstream(registration, 1, 0, { ...newcomer(0, 'registered'), state }, 0);
  upstream.tally.lastAnswerMs = lastAnswerMs;
  return Object.assign(upstream, { passedMs });
}

test('a failure is seen so long after the last answer or passed probe', () => {
  const cases: [before: State, after: State, seenMs: number | null][] = [
    ['ready', 'suspect', 40],
    ['ready', 'evicted', 40],
    ['trial', 'suspect', 40],
    // Out already, never in, out on purpose, or out although it answers.
    ['suspect', 'evicted', null],
    ['joining', 'evicted', null],
    ['ready', 'leaving', null],
    ['ready', 'ejected', null],
    ['suspect', 'ready', null],
  ];
  for (const [before, after, seenMs] of cases) {
    const counts = new ControlCounts();
    counts.changed(serverIn(after, { passedMs: 1000, lastAnswerMs: 960 }), before, 1040);
    counts.changed(serverIn(after, { passedMs: 960, lastAnswerMs: 1000 }), before, 1040);
    const { count, sumMs } = counts.detection.read();
    assert.deepEqual([count, sumMs], seenMs === null ? [0, 0] : [2, 2 * seenMs], `${before} → ${after}`);
  }
});

test('a timer that comes in time is not late, and one that is held up is late by that', () => {
  const loopDelay = new LoopDelay();
  for (const nowMs of [1000, 1020, 1039, 1089]) loopDelay.ticked(nowMs, 20);
  const { count, sumMs } = loopDelay.read();
  assert.deepEqual([count, sumMs], [3, 30]);
});
