import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blameOf, failureOf, isLocalError } from './failure.ts';

const CASES: [string | undefined, boolean, string, string][] = [
  ['ECONNREFUSED', false, 'refused', 'server'],
  ['EHOSTUNREACH', false, 'unreachable', 'server'],
  ['ECONNRESET', false, 'reset', 'server'],
  ['EPIPE', true, 'reset', 'server'],
  ['EMFILE', false, 'local', 'local'],
  ['ENFILE', false, 'local', 'local'],
  ['ENOBUFS', false, 'local', 'local'],
  ['ENOMEM', false, 'local', 'local'],
  ['EADDRNOTAVAIL', false, 'local', 'local'],
  [undefined, false, 'unreachable', 'server'],
];
for (const [code, wasConnected, kind, blame] of CASES) {
  test(`${code} ${wasConnected ? 'on' : 'while making'} a connection: ${kind}, held against ${blame}`, () => {
    assert.equal(failureOf(code, wasConnected), kind);
    assert.equal(blameOf(failureOf(code, wasConnected)), blame);
    assert.equal(isLocalError(code), blame === 'local');
  });
}
