import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostAndPort } from './host-port.ts';

test('an IPv6 address has brackets before its port, anything else has none', () => {
  assert.equal(hostAndPort('::1', 80), '[::1]:80');
  assert.equal(hostAndPort('fe80::1%eth0', 1), '[fe80::1%eth0]:1');
  assert.equal(hostAndPort('10.0.0.1', 9000), '10.0.0.1:9000');
  assert.equal(hostAndPort('proxy', 9000), 'proxy:9000');
});
