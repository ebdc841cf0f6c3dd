import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stackSettings } from './stack.ts';

test('every node publishes the same port, whatever range Compose has for several proxies', () => {
  const ranges = { PROXY_PUBLISH_PORT: '127.0.0.1:9-11', PROXY_PUBLISH_ADMIN_PORT: '7-9' };
  assert.deepEqual(stackSettings(3, { ...ranges, PROXIES: '3' }), {
    ...{ PROXIES: '3', PROXY_PUBLISH_PORT: '9', PROXY_PUBLISH_ADMIN_PORT: '7' },
  });
});

test('more proxies than nodes is bad usage', () => {
  assert.throws(() => stackSettings(1, { PROXIES: '3' }), /one node has 1 at most; --nodes 3 makes three/);
  assert.throws(() => stackSettings(3, { PROXIES: '4' }), /3 nodes have 3 at most/);
  for (const PROXIES of ['', '0', 'x', '1.5']) {
    assert.throws(() => stackSettings(3, { PROXIES }), /PROXIES is "/);
  }
});
