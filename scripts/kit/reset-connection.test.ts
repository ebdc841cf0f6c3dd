import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { scriptedServer } from '../../test-support/peers.ts';
import { resetConnection } from './reset-connection.ts';

test('an open connection is reset', async (t) => {
  const server = await scriptedServer();
  t.after(() => server.close());
  const socket = connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  const peer = await server.nextConnection();
  resetConnection(socket);
  assert.equal(await peer.ended(), 'ECONNRESET');
});

// In the ticks after `end` the system has the request to shut down, and has not carried it out.
for (let ticks = 0; ticks < 4; ticks += 1) {
  test(`a connection that is just being ended is closed, ${ticks} ticks later`, async (t) => {
    const server = await scriptedServer();
    t.after(() => server.close());
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.end('the last words');
    for (let tick = 0; tick < ticks; tick += 1)
      await new Promise<void>((resolve) => process.nextTick(resolve));
    const closed = once(socket, 'close');
    resetConnection(socket);
    await closed;
    assert.equal(await (await server.nextConnection()).ended(), 'fin');
  });
}
