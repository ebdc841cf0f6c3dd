// Templates, and that those of the peers can be filled in completely.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fillTemplate, serverValues } from './template.ts';

const SERVERS = [1, 2, 3].flatMap((policy) => [1, 2].map((n) => ({ policy, port: 9000 + policy * 10 + n })));
const PEERS = join(import.meta.dirname, '..', 'peers');

test('every name is replaced, wherever it stands', () => {
  assert.equal(fillTemplate('{{a}} {b} {{a}}{{c-1}}', { a: 1, 'c-1': 'x' }), '1 {b} 1x');
});

test('a gap and a value too many are refused', () => {
  assert.throws(() => fillTemplate('{{a}} {{b}}', { a: 1 }), /has \{\{b\}\}/);
  assert.throws(() => fillTemplate('{{a}}', { a: 1, b: 2 }), /no place for b/);
});

test('servers are counted within their policy', () => {
  assert.deepEqual(serverValues(SERVERS.slice(0, 3)), {
    'server-1-1': '127.0.0.1:9011',
    'server-1-2': '127.0.0.1:9012',
    'server-2-1': '127.0.0.1:9021',
  });
});

const templates: [string, Record<string, string | number>][] = [
  ['haproxy.cfg', { port: 1, threads: 2 }],
  ['nginx.conf', { port: 1, modules: '/m', script: '/s.js', folder: '/f' }],
];
for (const [name, values] of templates) {
  test(`${name} names each server once and nothing else that is unknown`, async () => {
    const text = await readFile(join(PEERS, name), 'utf8');
    const filled = fillTemplate(text, { ...values, ...serverValues(SERVERS) });
    for (const { port } of SERVERS) assert.equal(filled.split(`127.0.0.1:${port}`).length, 2, String(port));
  });
}
