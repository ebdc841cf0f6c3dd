import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { callEngine, DockerCluster, type EngineError, type Replica } from './docker.ts';

function refusal(statusCode: number, message = 'is not running'): Promise<never> {
  const error = new Error(`(HTTP code ${statusCode}) unexpected - ${message} `);
  return Promise.reject(Object.assign(error, { statusCode, json: { message } }));
}

test('a refusal is one sentence, with the status', async () => {
  const call = callEngine('p1 could not be paused', () => refusal(409, 'Container x is not running.'));
  await assert.rejects(
    call,
    (error: EngineError) =>
      error.status === 409 && error.message === 'p1 could not be paused: Container x is not running.',
  );
});

test('an error without an answer has no status', async () => {
  const call = callEngine('p1 could not be paused', () => Promise.reject(new Error('connect ENOENT')));
  await assert.rejects(call, { message: 'p1 could not be paused: connect ENOENT.', status: null });
});

test('a call that is not answered ends at its deadline', async () => {
  const call = callEngine(
    'p1 could not be paused',
    (signal) =>
      new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
      ),
    20,
  );
  // AbortSignal.timeout alone keeps no process alive.
  const alive = setTimeout(() => {}, 5_000);
  await assert.rejects(call, { message: 'p1 could not be paused: no answer in 0.02 s.', status: null });
  clearTimeout(alive);
});

/** The cluster of an engine that answers as the test says. */
async function clusterOf(t: TestContext, answer: (url: string) => [number, object]): Promise<DockerCluster> {
  const server = createServer((request, response) => {
    const [status, body] = answer(request.url ?? '');
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { DOCKER_HOST } = process.env;
  process.env.DOCKER_HOST = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  t.after(() => {
    server.closeAllConnections();
    server.close();
    if (DOCKER_HOST === undefined) delete process.env.DOCKER_HOST;
    else process.env.DOCKER_HOST = DOCKER_HOST;
  });
  return new DockerCluster('ours');
}

const CASES = [
  { what: 'no failure when the container is in that state already', status: 409, isSo: true, isFine: true },
  { what: 'a failure when it is not', status: 409, isSo: false, isFine: false },
  { what: 'a failure when it is another one', status: 404, isSo: true, isFine: false },
];
for (const { what, status, isSo, isFine } of CASES)
  test(`a refusal is ${what}`, async (t) => {
    const cluster = await clusterOf(t, (url) =>
      url.endsWith('/json') ? [200, { State: { Paused: isSo } }] : [status, { message: 'It is refused.' }],
    );
    const call = cluster.pause({ name: 'server-p1-1', containerId: 'abc' } as Replica);
    if (isFine) await call;
    else await assert.rejects(call, (error: EngineError) => error.status === status);
  });

/** What the engine says of the replicas of server-p1 with these numbers. */
function listed(url: string, numbers: readonly string[]): [number, object] {
  if (!url.includes('/containers/json')) return [200, { Config: { Env: ['SERVER_POLICY=1'] } }];
  const label = 'com.docker.compose';
  const containers = numbers.map((number) => ({
    Id: `id-${number}`,
    State: 'running',
    Labels: {
      [`${label}.project`]: 'ours',
      [`${label}.service`]: 'server-p1',
      [`${label}.container-number`]: number,
    },
  }));
  return [200, containers];
}

test('a plan counts the replicas of a service, whatever their numbers after an upgrade', async (t) => {
  const cluster = await clusterOf(t, (url) => listed(url, ['4', '3']));
  const [first, second] = [
    await cluster.findByPlace('server-p1-1'),
    await cluster.findByPlace('server-p1-2'),
  ];
  assert.deepEqual([first.name, first.policy, second.name], ['server-p1-3', '1', 'server-p1-4']);
  await assert.rejects(
    cluster.findByPlace('server-p1-9'),
    /There is no server-p1-9 in ours, only: server-p1-3/,
  );
});
