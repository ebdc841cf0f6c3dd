// test · the server as a real process: how it starts, what it refuses, how it leaves.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connectPeer, type Peer, type ScriptedServer, scriptedServer } from '../../test-support/peers.ts';
import { type Program, startProgram } from '../../test-support/programs.ts';
import type { Claim } from '../shared/packet.ts';
import { isProof } from '../shared/proof.ts';

const TOKEN = 'a token that nobody may read on the wire';

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');

async function proxyFor(t: TestContext): Promise<ScriptedServer> {
  const proxy = await scriptedServer();
  t.after(() => proxy.close());
  return proxy;
}

function start(t: TestContext, args: string[], environment: Record<string, string> = {}): Program {
  const program = startProgram('services/server/main.ts', args, { environment });
  t.after(() => program.stop());
  return program;
}

async function register(proxy: ScriptedServer): Promise<{ session: Peer; setup: Record<string, unknown> }> {
  const session = await proxy.nextConnection();
  const setup = await session.nextFrame();
  session.send({ type: 1, id: setup.id, privPoliId: setup.privPoliId, status: 'registered' });
  return { session, setup };
}

test('starts from the command line as the original does', async (t) => {
  const proxy = await proxyFor(t);
  start(t, ['12', '3', '0', '--proxy', `127.0.0.1:${proxy.port}`]);
  const { setup } = await register(proxy);
  const peer = connectPeer(Number(setup.listenport));
  peer.send({ type: 0, srcid: 1, privPoliId: 3, payload: 'hello' });
  assert.deepEqual(await peer.nextFrame(), {
    type: 2,
    srcid: 12,
    destid: 1,
    payloadsize: 40,
    payload: sha1('hello'),
  });
  assert.deepEqual([setup.id, setup.privPoliId, setup.auth], [12, '3', undefined]);
});

test('starts from the environment alone, with the host name for its id and a new incarnation at each boot', async (t) => {
  const proxy = await proxyFor(t);
  const environment = {
    SERVER_POLICY: 'gdpr',
    SERVER_PORT: '0',
    SERVER_HOST: '127.0.0.1',
    SERVER_PROXY: `localhost:${proxy.port}`,
    SERVER_LOG_FORMAT: 'json',
  };
  const program = start(t, [], environment);
  const { setup } = await register(proxy);
  assert.deepEqual([String(setup.id), setup.privPoliId], [os.hostname(), 'gdpr']);
  await program.printed(/"message":"registered"/);
  for (const line of program.stderr().trim().split('\n')) assert.equal(JSON.parse(line).role, 'server');
  assert.equal(program.stdout(), '');
  start(t, [], environment);
  const { setup: other } = await register(proxy);
  assert.notEqual(other.incarnation, setup.incarnation);
});

test('proves the token of its file, and never sends it', async (t) => {
  const folder = await mkdtemp(join(os.tmpdir(), 'server-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'token');
  await writeFile(file, `${TOKEN}\n`);
  const proxy = await proxyFor(t);
  start(t, ['12', '3', '0', '--proxy', `127.0.0.1:${proxy.port}`, '--register-token-file', file]);
  const session = await proxy.nextConnection();
  const { auth, proof: early, ...setup } = await session.nextFrame();
  assert.deepEqual([auth, early], ['hmac-sha-256', undefined]);
  session.send({ type: 5, nonce: 'n1' });
  const { proof } = await session.nextFrame();
  const { listenport: listenPort, incarnation } = setup;
  const claim = { id: 12, policy: '3', listenPort, incarnation } as Claim;
  assert.ok(isProof(String(proof), Buffer.from(TOKEN), 'n1', claim));
  assert.ok(!session.received().includes(TOKEN));
});

const REFUSED: [string, string[], Record<string, string>, RegExp][] = [
  ['no policy', ['1'], {}, /POLICY is missing/],
  ['no policy in the environment', [], {}, /POLICY is missing/],
  ['a port that is a word', ['1', '2', 'http'], {}, /PORT must be a whole number/],
  ['a port that is too high', ['1', '2', '65536'], {}, /PORT must be a whole number/],
  ['a port of the environment', [], { SERVER_POLICY: '1', SERVER_PORT: 'x' }, /SERVER_PORT is "x"/],
  ['a proxy without port', ['1', '2', '0', '--proxy', 'proxy'], {}, /--proxy is "proxy".*host:port/],
  [
    'a token that is not there',
    ['1', '2', '0', '--register-token-file', '/nowhere/token'],
    {},
    /--register-token-file: \/nowhere\/token can't be read \(ENOENT\)/,
  ],
  [
    'a certificate without its key',
    ['1', '2', '0', '--tls-cert', 'x.pem'],
    {},
    /--tls-cert and --tls-key belong together/,
  ],
  ['an unknown option', ['1', '2', '0', '--colour'], {}, /colour/],
  [
    'a log level that there is not',
    [],
    { SERVER_POLICY: '1', SERVER_LOG_LEVEL: 'loud' },
    /SERVER_LOG_LEVEL.*one of/,
  ],
];

for (const [name, args, environment, sentence] of REFUSED) {
  test(`bad usage exits with 2: ${name}`, async (t) => {
    const program = start(t, args, environment);
    assert.equal(await program.exited(), 2);
    assert.match(program.stderr(), sentence);
    assert.match(program.stderr(), /--help/);
  });
}

test('a port that somebody else has exits with 2', async (t) => {
  const taken = await proxyFor(t);
  const program = start(t, ['1', '2', String(taken.port), '--host', '127.0.0.1']);
  assert.equal(await program.exited(), 2);
  assert.match(program.stderr(), /Can't listen on 127\.0\.0\.1:\d+ \(EADDRINUSE\)/);
});

test('--help tells the exit codes and the environment', async (t) => {
  const program = start(t, ['--help']);
  assert.equal(await program.exited(), 0);
  for (const wanted of [
    'SERVER_PROXY',
    'SERVER_ID',
    'SERVER_POLICY',
    'SERVER_PORT',
    'SERVER_HOST',
    'Exit codes',
  ]) {
    assert.ok(program.stdout().includes(wanted), wanted);
  }
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal}: leaves, answers what is in flight and what still arrives, exits with 0`, async (t) => {
    const proxy = await proxyFor(t);
    const program = start(t, ['1', '2', '0', '--proxy', `127.0.0.1:${proxy.port}`]);
    const { session, setup } = await register(proxy);
    const inFlight = connectPeer(Number(setup.listenport));
    inFlight.send('{"type":0,"srcid":1,"privPoliId":2,');
    const idle = connectPeer(Number(setup.listenport));
    idle.send({ type: 0, srcid: 1, privPoliId: 2, payload: 'before' });
    await idle.nextFrame();

    program.child.kill(signal);
    assert.deepEqual(await session.nextFrame(), { type: 4, id: 1 });
    idle.send({ type: 0, srcid: 1, privPoliId: 2, payload: 'after the leave' });
    assert.equal((await idle.nextFrame()).payload, sha1('after the leave'));
    const newcomer = connectPeer(Number(setup.listenport));
    newcomer.send({ type: 0, srcid: 1, privPoliId: 2, payload: 'new' });
    assert.equal((await newcomer.nextFrame()).payload, sha1('new'));

    session.close();
    assert.equal(await idle.ended(), 'fin');
    assert.equal(await newcomer.ended(), 'fin');
    inFlight.send('"payload":"in flight"}');
    assert.equal((await inFlight.nextFrame()).payload, sha1('in flight'));
    assert.equal(await inFlight.ended(), 'fin');
    for (const peer of [idle, newcomer, inFlight]) peer.close();
    assert.equal(await program.exited(), 0);
    assert.match(program.stderr(), /stopping.*\n.*stopped.*answered=4/);
  });
}

test('a second signal ends it at once, one that follows within a blink does not', async (t) => {
  const proxy = await proxyFor(t);
  const program = start(t, ['1', '2', '0', '--proxy', `127.0.0.1:${proxy.port}`]);
  const { session } = await register(proxy);
  program.child.kill('SIGTERM');
  program.child.kill('SIGINT');
  assert.deepEqual(await session.nextFrame(), { type: 4, id: 1 });
  session.send({ type: 3 });
  assert.equal((await session.nextFrame()).type, 3, 'it still waits for the proxy');
  await new Promise((resolve) => setTimeout(resolve, 350));
  program.child.kill('SIGTERM');
  assert.equal(await program.exited(), 143);
});
