import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDrawnOn } from './steps.ts';

test('a live list is drawn in a terminal that has a width', () => {
  assert.equal(isDrawnOn({ isTTY: true, columns: 80 }), true);
  assert.equal(isDrawnOn({ isTTY: true, columns: 0 }), false);
  assert.equal(isDrawnOn({}), false);
});
