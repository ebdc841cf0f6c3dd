import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blameOf, failureOf } from './failure.ts';

const CASES: [string | undefined, boolean, string, string][] = [
  ['ECONNREFUSED', false, 'refused', 'server'],
  ['EHOSTUNREACH', false, 'unreachable', 'server'],
  ['ECONNRESET', false, 'reset', 'server'],
  ['EPIPE', true, 'reset', 'server'],
  ['CERT_HAS_EXPIRED', false, 'untrusted', 'server'],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', true, 'untrusted', 'server'],
  ['EMFILE', false, 'local', 'local'],
  ['ENFILE', false, 'local', 'local'],
  ['ENOBUFS', false, 'local', 'local'],
  ['ENOMEM', false, 'local', 'local'],
  ['EADDRNOTAVAIL', false, 'local', 'local'],
  [undefined, false, 'unreachable', 'server'],
];
for (const [code, wasConnected, kind, blame] of CASES) {
  test(`${code} ${wasConnected ? 'on' : 'while making'} a connection: ${kind}, held against ${blame}`, () => {
    const error = Object.assign(new Error('failed'), code === undefined ? {} : { code });
    assert.equal(failureOf(error, wasConnected), kind);
    assert.equal(blameOf(failureOf(error, wasConnected)), blame);
  });
}
