// test · the control listener over HTTP, and its server as a real process.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connectPeer, freePort, scriptedServer } from '../../../test-support/peers.ts';
import { type Program, startProgram } from '../../../test-support/programs.ts';
import { openControl } from './control.ts';
import { NO_FAULTS } from './misbehaviour.ts';
import { Saboteur } from './saboteur.ts';

async function control(
  t: TestContext,
): Promise<(method: string, path: string, body?: string) => Promise<Response>> {
  const server = await openControl('127.0.0.1', 0, new Saboteur('s1'), () => {});
  t.after(async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  });
  return caller((server.address() as AddressInfo).port);
}

function caller(port: number) {
  return (method: string, path: string, body?: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(5_000),
    });
}

test('the state is read, set as a whole, and turned off', async (t) => {
  const call = await control(t);
  const state = async (method: string, body?: string) => {
    const response = await call(method, '/faults', body);
    assert.equal(response.status, 200);
    return response.json();
  };
  assert.deepEqual(await state('GET'), NO_FAULTS);
  assert.deepEqual(await state('PUT', '{"delayMs":5,"isMute":true}'), {
    ...NO_FAULTS,
    delayMs: 5,
    isMute: true,
  });
  assert.deepEqual(await state('PUT', '{"burnMs":7}'), { ...NO_FAULTS, burnMs: 7 });
  assert.deepEqual(await state('GET'), { ...NO_FAULTS, burnMs: 7 });
  assert.deepEqual(await state('DELETE'), NO_FAULTS);
  assert.deepEqual(await state('GET'), NO_FAULTS);
});

const REFUSED: [string, string, string | undefined, number, RegExp][] = [
  ['PUT', '/faults', '{"delayMs":', 400, /not a JSON object/],
  ['PUT', '/faults', undefined, 400, /not a JSON object/],
  ['PUT', '/faults', '{"delayMs":-1}', 400, /"delayMs" must be/],
  ['PUT', '/faults', '{"delay":1}', 400, /"delay" is unknown/],
  ['PUT', '/faults', `{"delayMs":1${' '.repeat(4_084)}}`, 413, /larger than 4096 bytes/],
  ['PUT', '/faults', 'x'.repeat(1_000_000), 413, /larger than 4096 bytes/],
  ['POST', '/exit', '{"code":-1}', 400, /"code" must be/],
  ['POST', '/exit', '1', 400, /not a JSON object/],
  ['POST', '/faults', '{}', 405, /GET, PUT, DELETE/],
  ['GET', '/exit', undefined, 405, /POST/],
  ['GET', '/', undefined, 404, /nothing here/],
  ['PUT', '/toString', '{}', 404, /nothing here/],
];

for (const [method, path, body, status, sentence] of REFUSED) {
  test(`refused with ${status}: ${method} ${path} ${body?.slice(0, 20) ?? ''}`, async (t) => {
    const call = await control(t);
    await call('PUT', '/faults', '{"burnMs":7}');
    const response = await call(method, path, body);
    assert.equal(response.status, status);
    const { error, paths } = (await response.json()) as { error: string; paths?: string[] };
    assert.match(error, sentence);
    if (status === 404) assert.deepEqual(paths, ['/faults', '/exit']);
    if (status === 405) assert.ok(response.headers.get('allow'));
    assert.deepEqual(await (await call('GET', '/faults')).json(), { ...NO_FAULTS, burnMs: 7 });
  });
}

test('a body of exactly the limit is taken', async (t) => {
  const call = await control(t);
  const body = `{"delayMs":1${' '.repeat(4_083)}}`;
  assert.equal((await call('PUT', '/faults', body)).status, 200);
});

async function startServer(t: TestContext, args: string[], environment: Record<string, string> = {}) {
  const proxy = await scriptedServer();
  t.after(() => proxy.close());
  const all = ['1', '2', '0', '--host', '127.0.0.1', '--proxy', `127.0.0.1:${proxy.port}`, ...args];
  const program = startProgram('services/server/main.ts', all, { environment });
  t.after(() => program.stop());
  const session = await proxy.nextConnection();
  const setup = await session.nextFrame();
  session.send({ type: 1, id: setup.id, privPoliId: setup.privPoliId, status: 'registered' });
  return { program, session, port: Number(setup.listenport) };
}

async function controlPortOf(program: Program): Promise<number> {
  await program.printed(/controlPort=\d+/);
  return Number(/controlPort=(\d+)/.exec(program.stderr())?.[1]);
}

test('--faults: the faults of a running server are turned on, and a stop is not held up', async (t) => {
  const { program, session, port } = await startServer(t, ['--control-port', '0'], { SERVER_FAULTS: '1' });
  const call = caller(await controlPortOf(program));
  assert.equal((await call('PUT', '/faults', '{"isMute":true}')).status, 200);
  const [peer, probe] = [connectPeer(port), connectPeer(port)];
  peer.send({ type: 0, srcid: 1, privPoliId: 2, payload: 'a' });
  probe.send({ type: 0, srcid: 'health', privPoliId: 2, payload: 'a' });
  assert.equal((await probe.nextFrame()).type, 2);
  assert.equal(peer.received(), '');
  program.child.kill('SIGTERM');
  assert.equal((await session.nextFrame()).type, 4);
  session.close();
  for (const one of [peer, probe]) {
    assert.equal(await one.ended(), 'fin');
    one.close();
  }
  assert.equal(await program.exited(), 0);
});

for (const code of [1, 0, 77]) {
  test(`exit with ${code}: the process answers, and ends by itself without leaving`, async (t) => {
    const { program, session, port } = await startServer(t, ['--faults', '--control-port', '0']);
    const call = caller(await controlPortOf(program));
    await call('PUT', '/faults', '{"delayMs":60000}');
    const waiting = connectPeer(port);
    waiting.send({ type: 0, srcid: 1, privPoliId: 2, payload: 'a' });
    const response = await call('POST', '/exit', `{"code":${code}}`);
    assert.equal(response.status, 202);
    assert.deepEqual(await response.json(), { code });
    assert.equal(await program.exited(), code);
    await session.ended();
    assert.equal(session.pendingFrames(), 0, 'no leave packet');
    await waiting.ended();
    assert.equal(waiting.received(), '');
  });
}

test('a control port that somebody else has exits with 2', async (t) => {
  const taken = await scriptedServer();
  t.after(() => taken.close());
  const { program } = await startServer(t, ['--faults', '--control-port', String(taken.port)]);
  assert.equal(await program.exited(), 2);
  assert.match(program.stderr(), /can't listen on the control port.*EADDRINUSE/);
});

// Tells every module that is loaded, on stderr.
const TELL_MODULES = `--import=data:text/javascript,${encodeURIComponent(
  "import { registerHooks } from 'node:module'; registerHooks({ load: (url, context, next) => { console.error('load', url); return next(url, context); } });",
)}`;
const FAULT_MODULES = /load \S+\/(control|saboteur|misbehaviour|held-answers)\.ts/;

test('without --faults nothing listens, and nothing of it is loaded', async (t) => {
  const port = await freePort();
  const environment = { NODE_OPTIONS: TELL_MODULES };
  const honest = await startServer(t, ['--control-port', String(port)], environment);
  // Started later, it opens the port later than the first would have done: that it gets it is the proof.
  const faulty = await startServer(t, ['--faults', '--control-port', String(port)], environment);
  assert.equal(await controlPortOf(faulty.program), port);
  assert.equal((await caller(port)('GET', '/faults')).status, 200);
  assert.match(faulty.program.stderr(), FAULT_MODULES);
  assert.match(honest.program.stderr(), /load \S+\/answer\.ts/);
  assert.doesNotMatch(honest.program.stderr(), FAULT_MODULES);
});
