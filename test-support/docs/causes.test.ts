// The list of causes in docs/troubleshooting.md is the list of the code.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CAUSES } from '../../services/proxy/health/cause.ts';

test('docs/troubleshooting.md lists every cause of an event, and no other', () => {
  const page = readFileSync(new URL('../../docs/troubleshooting.md', import.meta.url), 'utf8');
  const list = page.slice(page.indexOf('## The causes of events'));
  const [head, ...causes] = [...list.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name);
  assert.equal(head, 'cause');
  assert.deepEqual(causes, [...CAUSES]);
});
