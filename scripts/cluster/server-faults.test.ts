import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import type { Replica } from './replicas.ts';
import { clearFaults, exit, isFaulty, isRefused, readFaults, setFaults } from './server-faults.ts';

// The port is fixed, so the test has a loopback address of its own.
const ADDRESS = '127.94.7.31';
const OFF = { delayMs: 0, burnMs: 0, lieProbability: 0, isMute: false, garbleProbability: 0 };

function replica(address: string | null): Replica {
  return { name: 'server-p1-1', address } as Replica;
}

async function controlPort(t: TestContext, answer: (body: string) => [number, object]): Promise<string[]> {
  const asked: string[] = [];
  const server: Server = createServer(async (request, response) => {
    const body = await text(request);
    asked.push(`${request.method} ${request.url} ${body}`.trim());
    const [status, reply] = answer(body);
    response.writeHead(status).end(JSON.stringify(reply));
  });
  server.listen(9100, ADDRESS);
  await once(server, 'listening');
  t.after(() => server.close());
  return asked;
}

test('a change leaves what is not named', async (t) => {
  const asked = await controlPort(t, (body) => [
    200,
    body === '' ? { ...OFF, isMute: true } : JSON.parse(body),
  ]);
  const after = await setFaults(replica(ADDRESS), { delayMs: 200 });
  assert.deepEqual(after, { ...OFF, isMute: true, delayMs: 200 });
  assert.deepEqual(asked, [
    'GET /faults',
    'PUT /faults {"delayMs":200,"burnMs":0,"lieProbability":0,"isMute":true,"garbleProbability":0}',
  ]);
});

test('clear and exit say what they mean', async (t) => {
  const asked = await controlPort(t, () => [202, {}]);
  await clearFaults(replica(ADDRESS));
  await exit(replica(ADDRESS), 3);
  assert.deepEqual(asked, ['DELETE /faults', 'POST /exit {"code":3}']);
});

test('a refusal is reported with its reason', async (t) => {
  await controlPort(t, () => [400, { error: 'No.' }]);
  await assert.rejects(readFaults(replica(ADDRESS)), /server-p1-1's control port.*: 400 \{"error":"No."\}/);
});

test('a closed port is distinguished from one that does not answer', async () => {
  await assert.rejects(readFaults(replica('127.94.7.32')), (error) => isRefused(error));
  await assert.rejects(
    readFaults(replica(null)),
    (error: Error) => !isRefused(error) && /no address/.test(error.message),
  );
});

test('a server is faulty when it does anything wrong', () => {
  assert.equal(isFaulty(OFF), false);
  assert.equal(isFaulty({ ...OFF, isMute: true }), true);
  assert.equal(isFaulty({ ...OFF, lieProbability: 0.01 }), true);
});
