import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../kit/project.ts';
import { formatHints } from './hints.ts';

const commandsOf = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line.includes('#'))
    .map((line) => line.replace(/#.*/, '').trim());

test('hints: the usual cluster', () => {
  const text = formatHints({ project: 'policy-proxy', port: 10_000, unsaved: {} });
  assert.deepEqual(commandsOf(text), [
    'npm run client -- client_packet_2.json',
    'npm run status -- --watch',
    'docker kill policy-proxy-server-p1-1',
    'docker start policy-proxy-server-p1-1',
    'docker pause policy-proxy-server-p1-1',
    'docker unpause policy-proxy-server-p1-1',
    'docker restart policy-proxy-server-p1-1',
    'npm run load -- --rate 1000 --duration 20',
    'docker compose up --detach --scale server-p1=4',
    'npm start',
    'npm stop',
  ]);
  assert.ok(!text.includes('.env'));
  const columns = text.split('\n').map((line) => line.indexOf('#'));
  assert.equal(new Set(columns.slice(1)).size, 1, 'aligned');
});

test('hints: the README has the same list', () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const list = readme.split('Try from there:')[1]?.split('\n- ')[0] ?? '';
  assert.deepEqual(
    commandsOf(list),
    commandsOf(formatHints({ project: 'policy-proxy', port: 10_000, unsaved: {} })),
  );
});

test('hints: another port and name, from .env', () => {
  const commands = commandsOf(formatHints({ project: 'mine', port: 10_001, unsaved: {} }));
  assert.ok(commands.includes('npm run client -- client_packet_2.json --proxy 127.0.0.1:10001'));
  assert.ok(commands.includes('npm run load -- --rate 1000 --duration 20 --proxy 127.0.0.1:10001'));
  assert.ok(commands.includes('docker kill mine-server-p1-1'));
  assert.ok(commands.includes('docker compose up --detach --scale server-p1=4'));
});

test('hints: settings that only this run has come first, for .env', () => {
  const unsaved = { PROXY_PUBLISH_PORT: '10001', SERVERS_PER_POLICY: '3' };
  const text = formatHints({ project: 'policy-proxy', port: 10_001, unsaved });
  assert.match(
    text,
    /^Other commands.*\n {2}echo PROXY_PUBLISH_PORT=10001 >> \.env\n {2}echo SERVERS_PER_POLICY=3 >> \.env\n\nWhat to try/,
  );
});
