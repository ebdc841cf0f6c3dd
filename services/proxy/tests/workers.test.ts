// test · a proxy with several workers: one table, one turn and one set of counters for all of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  clientOf,
  eventually,
  fakeServer,
  policies,
  request,
  testProxy,
} from '../../../test-support/cluster.ts';

test('with four workers, 1,000 requests over many connections go round in strict order', async (t) => {
  const proxy = await testProxy(t, { workers: 4 });
  const order: number[] = [];
  const servers = [1, 2, 3].map((id) =>
    fakeServer(t, proxy, id, {
      behave: (_peer, _frame, answer) => {
        order.push(id);
        answer();
      },
    }),
  );
  for (const server of await Promise.all(servers)) await server.join({ keepAlive: true, session: true });
  for (let sent = 0; sent < 1000; sent += 1) {
    const client = clientOf(proxy);
    client.send(request(`number ${sent}`));
    assert.equal((await client.nextFrame()).type, 2);
    client.socket.destroy();
  }
  assert.deepEqual(
    order,
    Array.from({ length: 1000 }, (_, at) => order[at % 3]),
  );
  await eventually(async () => (await policies(proxy)).proxy.answered === 1000);
});
