// The two programs of docs/protocol.md, run as they stand there: a page that one can write a peer from has to be true.
import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { rowOf, testProxy } from '../cluster.ts';
import { freePort, PATIENCE_MS, within } from '../peers.ts';

const PAGE = new URL('../../docs/protocol.md', import.meta.url);
const skip = spawnSync('python3', ['--version']).status === 0 ? false : 'there is no python3 here';

/** The program that the page gives under `name`, with its ports replaced. */
async function programOf(name: string, ports: Record<string, number>): Promise<string> {
  const page = await readFile(PAGE, 'utf8');
  const behind = page.slice(page.indexOf(`\`${name}\``));
  const [, source = ''] = /```python\n(.*?)```/s.exec(behind) ?? [];
  assert.notEqual(source, '', `${name} is on the page`);
  return Object.entries(ports).reduce((text, [from, to]) => text.replaceAll(from, String(to)), source);
}

async function serve(t: TestContext, source: string): Promise<string> {
  const server = spawn('python3', ['-c', source], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => server.kill('SIGKILL'));
  const [line] = await within(once(createInterface(server.stdout), 'line'), PATIENCE_MS, 'its registration');
  return String(line);
}

test('the server of the protocol page is admitted, and answers the client of the page', {
  skip,
}, async (t) => {
  const proxy = await testProxy(t);
  const ports = { '10000': proxy.port, '9001': await freePort() };
  assert.match(await serve(t, await programOf('server.py', ports)), /"status":"registered"/);
  const client = ['-c', await programOf('client.py', ports)];
  const { stdout } = await promisify(execFile)('python3', client, { timeout: PATIENCE_MS });
  assert.equal(stdout, 'received by server 7\n');
  const row = await rowOf(proxy, 7);
  assert.equal(row?.state, 'ready', 'its probes pass');
});

test('the client of the protocol page prints a refusal', { skip }, async (t) => {
  const proxy = await testProxy(t);
  const client = ['-c', await programOf('client.py', { '10000': proxy.port })];
  const { stdout } = await promisify(execFile)('python3', client, { timeout: PATIENCE_MS });
  assert.match(stdout, /^refused: NO_SERVER /);
});
