import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNames } from './container-names.ts';

test("container names: by id, without the cluster's own name", () => {
  const text = '0a1b2c3d4e5f mine-server-p1-1\n123456789012 mine-proxy-1\nffffffffffff other\n';
  assert.deepEqual(Object.fromEntries(parseNames(text, 'mine')), {
    '0a1b2c3d4e5f': 'server-p1-1',
    '123456789012': 'proxy-1',
    ffffffffffff: 'other',
  });
  assert.equal(parseNames('', 'mine').size, 0);
});
