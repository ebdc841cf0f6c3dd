// test · what is told of a status listener that does not answer as it should.
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../test-support/peers.ts';
import { Failure } from './failure.ts';
import { fetchPolicies } from './policies.ts';

async function listenerThat(t: TestContext, script: (socket: Socket) => void): Promise<string> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    script(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

function isFailure(what: RegExp, next: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof Failure && what.test(error.message) && next.test(error.next);
}

test('status: a listener that says nothing may be paused', async (t) => {
  const url = await listenerThat(t, () => {});
  await assert.rejects(
    fetchPolicies(url),
    isFailure(/gave no answer within 2 s/, /paused.*docker compose ps/),
  );
});

test('status: half an answer is none', async (t) => {
  const url = await listenerThat(t, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{'),
  );
  await assert.rejects(fetchPolicies(url), isFailure(/gave no answer within 2 s/, /paused/));
});

test('status: nobody listens', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  await assert.rejects(fetchPolicies(url), isFailure(/does not answer.*ECONNREFUSED/, /npm start/));
});

test('status: an interruption is no failure', async (t) => {
  const url = await listenerThat(t, () => {});
  const reason = new Error('stop');
  await assert.rejects(fetchPolicies(url, AbortSignal.abort(reason)), reason);
});
