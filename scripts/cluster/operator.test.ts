// test · npm run status asks and orders: with a real proxy and a real server.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connectPeer, freePort } from '../../test-support/peers.ts';
import { startProgram } from '../../test-support/programs.ts';
import { findServer } from './operator.ts';

test('a server is explained, drained, resumed and probed; orders need the token', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'operator-'));
  t.after(() => rm(folder, { recursive: true }));
  const token = join(folder, 'token');
  await writeFile(token, 'a token of more than 16 bytes');
  const [port, adminPort, own] = [await freePort(), await freePort(), await freePort()];
  const run = (file: string, args: (string | number)[]) => {
    const program = startProgram(file, [...args.map(String), '--register-token-file', token]);
    t.after(() => program.stop());
    return program;
  };
  const proxy = run('services/proxy/main.ts', [port, '--admin-port', adminPort]);
  await proxy.printed(/listening/);
  run('services/server/main.ts', [7, 1, own, '--proxy', `127.0.0.1:${port}`]);
  await proxy.printed(/server admitted/);
  const status = async (...args: string[]) => {
    const program = startProgram('scripts/status.ts', [...args, '--admin', `127.0.0.1:${adminPort}`]);
    return { code: await program.exited(), text: program.stdout() + program.stderr() };
  };
  const drained = await status(
    'drain',
    '7',
    '--reason',
    'a new disk',
    '--by',
    'Ada',
    '--register-token-file',
    token,
  );
  assert.deepEqual(
    [drained.code, drained.text],
    [0, 'drained server 7 of policy 1\npolicy 1 has no server left that gets requests: they are refused\n'],
  );
  const again = await status('drain', '7', '--register-token-file', token);
  assert.match(again.text, /^server 7 of policy 1 was drained already\n/);
  const [head = '', row = ''] = (await status()).text.split('\n');
  assert.match(head, /^policy +server +address/);
  assert.match(
    row,
    /^1 +7 .* drained .* by order of Ada: a new disk \(measured ready: its first probe passed/,
  );
  const explained = await status('explain', '7');
  assert.equal(explained.code, 0);
  assert.match(
    explained.text,
    /^Server 7 of policy 1 is drained since .*\nDrained by Ada: a new disk\. Gets nothing new until resumed\..*\n.*resume 7"/,
  );
  assert.match(explained.text, /admitted: .*\n +probe-passed; probe 0\.\d s before: pass\n/);
  assert.match(explained.text, /drained: drained by order of Ada: a new disk\n +ordered; by Ada, a new disk/);
  assert.match(
    (await status('resume', '--policy', '1', '--register-token-file', token)).text,
    /^resumed server 7/,
  );
  const chatty = await status('log-level', 'debug', '--by', 'Ada', '--register-token-file', token);
  assert.deepEqual([chatty.code, chatty.text], [0, 'the proxy logs from debug on\n']);
  await proxy.printed(/warn .*the log level is changed by order to=debug by=Ada/);
  const client = connectPeer(port);
  t.after(() => client.socket.destroy());
  client.send({ type: 9 });
  const { trace } = await client.nextFrame();
  await proxy.printed(new RegExp(`debug proxy: refused trace=${trace} code=UNKNOWN_TYPE`));
  assert.equal((await status('log-level', 'loud', '--register-token-file', token)).code, 2);
  assert.equal((await status('explain', 'nobody')).code, 1);
  const unnamed = await status('explain', '--policy', '1');
  assert.deepEqual([unnamed.code, /explain: name one server/.test(unnamed.text)], [2, true]);
  assert.equal((await status('drain', '--register-token-file', token)).code, 2);
  await writeFile(token, 'another token than the proxy has');
  const refused = await status('drain', '7', '--register-token-file', token);
  assert.deepEqual([refused.code, /not the registration token/.test(refused.text)], [1, true]);
});

test('a server is known by its id, its address, and its container with or without the project', () => {
  const row = (id: string, address: string) => ({ id, policy: '1', address }) as never;
  const snapshot = {
    at: '',
    policies: [{ policy: '1', nextId: 'a', servers: [row('a', 'h:1'), row('b', 'h:2')] }],
  };
  const names = new Map([['b', 'policy-proxy-server-p1-2']]);
  for (const wanted of ['b', 'h:2', 'policy-proxy-server-p1-2', 'server-p1-2'])
    assert.equal(findServer(snapshot, names, wanted).id, 'b');
  assert.throws(() => findServer(snapshot, names, 'c'), /No server of the table is "c"/);
});
