// test · npm run status of several proxies: what one does not answer hides nothing of the others.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { fakeDocker } from '../../test-support/containers.ts';
import { freePort } from '../../test-support/peers.ts';
import { ended, startProgram } from '../../test-support/programs.ts';

const ANSWER = { at: new Date(0).toISOString(), policies: [] };
const TABLE = 'No server has registered yet.';

/** A status listener that knows no server. @returns its port */
async function listener(t: TestContext): Promise<number> {
  const server = createServer((_, response) => response.end(JSON.stringify(ANSWER))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** `npm run status` where Docker lists these proxies: their state, and the port of their status listener. */
async function status(t: TestContext, proxies: readonly (readonly [string, number])[], args: string[] = []) {
  const lines = proxies.map(([state, port], index) => {
    const ports = state === 'exited' ? '' : `127.0.0.1:1->10000/tcp, 127.0.0.1:${port}->10081/tcp`;
    return ['id', `policy-proxy-proxy-${index + 1}`, state, 'proxy', 'hash', 'Up', ports].join('\t');
  });
  const environment = { PATH: await fakeDocker(t, `cat <<'LINES'\n${lines.join('\n')}\nLINES`) };
  const program = startProgram('scripts/status.ts', args, { environment });
  t.after(() => program.stop());
  return await ended(program);
}

test('all answer: their tables, and 0', async (t) => {
  const found = await status(t, [
    ['running', await listener(t)],
    ['running', await listener(t)],
  ]);
  assert.equal(found.code, 0);
  assert.deepEqual(found.stdout.match(/^proxy-\d|^No server/gm), [
    'proxy-1',
    'No server',
    'proxy-2',
    'No server',
  ]);
});

test('one can not be reached, one has ended: the others are shown, these are named, and 1', async (t) => {
  const proxies = [
    ['running', await freePort()],
    ['exited', 0],
    ['running', await listener(t)],
  ] as const;
  const { code, stdout } = await status(t, proxies);
  assert.equal(code, 1);
  assert.match(stdout, /^proxy-1 .*\nThe proxy's status listener does not answer/);
  assert.ok(stdout.includes(TABLE), stdout);
  assert.match(stdout, /\nproxy-2 is not running \(exited\)\.\n"npm start" starts what does not run\.\n$/);
  const json = await status(t, proxies, ['--json']);
  assert.deepEqual([json.code, JSON.parse(json.stdout)], [1, ANSWER]);
  assert.match(json.stderr, /does not answer.*proxy-2 is not running/s);
});

test('the only one can not be reached: that is the failure', async (t) => {
  const { code, stdout, stderr } = await status(t, [['running', await freePort()]]);
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /does not answer/);
});
