import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BroughtUp, summarizeDown, summarizeUp } from './cluster.ts';

const named = (...ids: string[]) => ids.map((id) => ({ id, name: id.slice(0, 1) }));

const UP: [string, Partial<BroughtUp>, string, boolean][] = [
  [
    'nothing to do',
    { before: named('a', 'b'), after: named('a', 'b') },
    '2 containers (already running)',
    true,
  ],
  ['from nothing', { after: named('a', 'b') }, '2 containers: 2 just started', false],
  ['one of two', { before: named('a'), after: named('a', 'b') }, '2 containers: 1 just started', false],
  ['too many', { before: named('a', 'b', 'c'), after: named('a') }, '1 container: 2 removed', false],
  [
    'one replaced',
    { before: named('a', 'b1'), after: named('a', 'b2') },
    '2 containers: 1 just started',
    false,
  ],
  [
    'one paused',
    { before: named('a'), after: named('a'), unpaused: 1 },
    '1 container: 1 no longer paused',
    false,
  ],
  [
    'one unhealthy',
    { before: named('a'), after: named('a'), restarted: 1 },
    '1 container: 1 restarted',
    false,
  ],
];
for (const [name, what, summary, isSkipped] of UP) {
  test(`brought up: ${name}`, () => {
    const nothing = { before: [], after: [], unpaused: 0, restarted: 0 };
    assert.deepEqual(summarizeUp({ ...nothing, ...what }), { isSkipped, summary });
  });
}

const DOWN: [number, string, boolean][] = [
  [0, 'nothing was running', true],
  [1, '1 container and its network are gone', false],
  [7, '7 containers and their network are gone', false],
];
for (const [found, summary, isSkipped] of DOWN) {
  test(`taken down: ${found}`, () => assert.deepEqual(summarizeDown(found), { isSkipped, summary }));
}
