import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../services/shared/config.ts';
import { parseAdminAddress } from './admin-address.ts';

const ADDRESSES: [string, string][] = [
  ['localhost:10080', 'http://localhost:10080'],
  ['127.0.0.1:10081', 'http://127.0.0.1:10081'],
  ['[::1]:10080', 'http://[::1]:10080'],
  ['http://proxy:10080/', 'http://proxy:10080'],
  ['http://proxy:10080/api/policies', 'http://proxy:10080'],
  ['proxy', 'http://proxy'],
];
for (const [text, url] of ADDRESSES) {
  test(`--admin ${text}`, () => assert.equal(parseAdminAddress(text), url));
}

for (const text of [
  '',
  '10080',
  ':10080',
  'localhost:http',
  'https://proxy:10080',
  'a b',
  'ftp://x',
  '::1',
]) {
  test(`--admin "${text}" is no address`, () => assert.throws(() => parseAdminAddress(text), UsageError));
}
