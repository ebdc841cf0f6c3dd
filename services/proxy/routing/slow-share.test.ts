import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SlowShare } from './slow-share.ts';

test('half of the answers being slow makes a policy slow, from five answers on', () => {
  assert.equal(new SlowShare().isSlow({ answers: 4, slow: 4 }, 0), false);
  assert.equal(new SlowShare().isSlow({ answers: 5, slow: 2 }, 0), false);
  assert.equal(new SlowShare().isSlow({ answers: 6, slow: 3 }, 0), true);
});

test('only the last seconds count', () => {
  const share = new SlowShare();
  assert.equal(share.isSlow({ answers: 100, slow: 100 }, 0), true);
  assert.equal(share.isSlow({ answers: 104, slow: 100 }, 4999), true);
  assert.equal(share.isSlow({ answers: 200, slow: 100 }, 5000), false);
  assert.equal(share.isSlow({ answers: 300, slow: 199 }, 10_000), true);
});

test('servers that have left with their counters make nothing slow', () => {
  const share = new SlowShare();
  share.isSlow({ answers: 1000, slow: 1000 }, 0);
  share.isSlow({ answers: 1000, slow: 1000 }, 5000);
  assert.equal(share.isSlow({ answers: 10, slow: 10 }, 6000), false);
});
