import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConnectionLimit } from './connection-limit.ts';

// Every connection of a round is answered after as long as the server takes with that many at once.
function round(limit: ConnectionLimit, tookMs: (atOnce: number) => number, nowMs = 0): number {
  const atOnce = limit.value;
  for (let answered = 0; answered < atOnce; answered += 1) limit.onAnswer(tookMs(atOnce), true, nowMs);
  return limit.value;
}

const threaded = (): number => 100;
const oneByOne = (atOnce: number): number => atOnce * 10;

describe('connections at once to a server that takes one request each', () => {
  test('a server with threads gets more, up to 256', () => {
    const limit = new ConnectionLimit(4);
    const values = Array.from({ length: 8 }, () => round(limit, threaded));
    assert.deepEqual(values, [8, 16, 32, 64, 128, 256, 256, 256]);
  });

  test('one with a single thread gets no more: its answers only wait for each other', () => {
    const limit = new ConnectionLimit(4);
    limit.onAnswer(10, false, 0);
    for (let rounds = 0; rounds < 50; rounds += 1) round(limit, oneByOne);
    assert.equal(limit.value, 4);
  });

  test('who is not asked for more gets no more', () => {
    const limit = new ConnectionLimit(4);
    for (let answered = 0; answered < 100; answered += 1) limit.onAnswer(10, false, 0);
    assert.equal(limit.value, 4);
  });

  test('a full accept queue halves it, and for a minute it stays below what was too much', () => {
    const limit = new ConnectionLimit(4);
    for (let rounds = 0; rounds < 3; rounds += 1) round(limit, threaded);
    limit.onCongestion(0);
    assert.equal(limit.value, 16);
    for (let rounds = 0; rounds < 50; rounds += 1) round(limit, threaded, 1000);
    assert.equal(limit.value, 31);
    round(limit, threaded, 60_000);
    assert.equal(limit.value, 62);
  });

  test('one connection is always left', () => {
    const limit = new ConnectionLimit(4);
    for (let times = 0; times < 5; times += 1) limit.onCongestion(0);
    assert.equal(limit.value, 1);
  });
});
