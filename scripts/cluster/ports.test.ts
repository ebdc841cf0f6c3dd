import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { freePortBelowEphemeral } from '../../test-support/peers.ts';
import { Failure } from '../kit/failure.ts';
import { notFree, type PortOwner, requireFreePorts } from './ports.ts';

const WHO = { command: 'npm start', cluster: 'mine' };
const WANTED = { port: 10_000, host: '0.0.0.0', setting: 'PROXY_PUBLISH_PORT' };
const OTHER_PORT = '  echo PROXY_PUBLISH_PORT=10001 >> .env && npm start';

const OWNERS: [what: string, PortOwner | null, message: string, next: string][] = [
  ['a program', null, 'Port 10000 is taken by another program.', 'Stop what uses it'],
  [
    'a container of something else',
    { name: 'web', project: 'shop', stack: '' },
    'Port 10000 is taken by the container web.',
    'Stop what uses it',
  ],
  [
    'the cluster in Compose',
    { name: 'mine-proxy-1', project: 'mine', stack: '' },
    'Port 10000 is taken by the container mine-proxy-1.',
    'Take down the cluster that it belongs to: npm stop',
  ],
  [
    'the stack on Swarm',
    { name: 'mine_proxy.1.abc', project: '', stack: 'mine' },
    'Port 10000 is taken by the container mine_proxy.1.abc.',
    'Remove the stack on Docker Swarm that it belongs to: npm run swarm -- stop',
  ],
];
for (const [what, owner, message, first] of OWNERS) {
  test(`a port that ${what} has: what to do is said`, () => {
    const failure = notFree(WANTED, 'EADDRINUSE', owner, WHO);
    assert.equal(failure.message, message);
    assert.equal(
      failure.next,
      `${first}, or choose another port, in .env so that every command uses it:\n${OTHER_PORT}`,
    );
  });
}

test('a port that may not be used is no taken one, and after the last port comes none', () => {
  const { message, next } = notFree({ ...WANTED, port: 65_535 }, 'EACCES', null, WHO);
  assert.equal(message, "Port 65535 can't be used: EACCES.");
  assert.match(next, /PROXY_PUBLISH_PORT=65534/);
});

test('a free port is let pass, a taken one is found', async (t) => {
  const wanted = { ...WANTED, host: '127.0.0.1', port: await freePortBelowEphemeral() };
  await requireFreePorts([wanted], WHO);
  const server = createServer().listen(wanted.port, wanted.host);
  await once(server, 'listening');
  t.after(() => server.close());
  await assert.rejects(requireFreePorts([wanted], WHO), (error: unknown) => {
    return error instanceof Failure && error.message === `Port ${wanted.port} is taken by another program.`;
  });
});
