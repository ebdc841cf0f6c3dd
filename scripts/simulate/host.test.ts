import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Timeline } from './host.ts';

function playOut(timeline: Timeline, untilMs: number): void {
  for (let work = timeline.next(untilMs); work !== null; work = timeline.next(untilMs)) work();
}

test('what is due first comes first, and what is due together in the order of asking', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }), (delays) => {
      const timeline = new Timeline(1);
      const done: { at: number; delay: number }[] = [];
      for (const [at, delay] of delays.entries()) timeline.after(delay, () => done.push({ at, delay }));
      playOut(timeline, 100);
      const expected = delays
        .map((delay, at) => ({ at, delay }))
        .toSorted((a, b) => a.delay - b.delay || a.at - b.at);
      assert.deepEqual(done, expected);
    }),
  );
});

test('what comes last at a time comes after what is asked for at that time', () => {
  const timeline = new Timeline(1);
  const done: string[] = [];
  timeline.after(5, () => {
    timeline.last(() => done.push('last'));
    timeline.after(0, () => done.push('at once'));
  });
  playOut(timeline, 10);
  assert.deepEqual(done, ['at once', 'last']);
});

test('what was taken back does not happen, and time goes on to where it was asked to', () => {
  const timeline = new Timeline(1);
  const cancel = timeline.after(5, () => assert.fail('it was taken back'));
  cancel();
  assert.equal(timeline.next(40), null);
  assert.equal(timeline.nowMs, 40);
});
