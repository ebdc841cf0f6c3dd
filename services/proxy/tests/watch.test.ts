// test · several that look on see the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinWatches, type RequestWatch } from '../routing/watch.ts';

const NAMES = [
  ...(['onAttempt', 'onAttemptFailed', 'onAnswered', 'onRefused'] as const),
  ...(['onAbandoned', 'onPacketRefused'] as const),
];

test('each of them sees everything, in their order; one is itself, none is null', () => {
  const seen: unknown[] = [];
  const watch = (who: string): RequestWatch =>
    Object.fromEntries(
      NAMES.map((name) => [name, (...args: unknown[]) => seen.push([who, name, ...args])]),
    ) as unknown as RequestWatch;
  const one = watch('one');
  assert.equal(joinWatches([]), null);
  assert.equal(joinWatches([one]), one);
  const both = joinWatches([one, watch('two')]) as unknown as Record<string, (...args: unknown[]) => void>;
  for (const name of NAMES) both[name]?.(1, 2, 3);
  assert.deepEqual(
    seen,
    NAMES.flatMap((name) => [
      ['one', name, 1, 2, 3],
      ['two', name, 1, 2, 3],
    ]),
  );
});
