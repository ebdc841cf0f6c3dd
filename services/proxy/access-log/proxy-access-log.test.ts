// test · the access log of a real proxy: its lines on standard output, and a reader that does not read them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { eventually, request } from '../../../test-support/cluster.ts';
import { connectPeer, type Peer } from '../../../test-support/peers.ts';
import { type Program, startProgram } from '../../../test-support/programs.ts';

async function startProxy(
  t: TestContext,
  ...args: string[]
): Promise<{ program: Program; port: number; client: Peer }> {
  const program = startProgram('services/proxy/main.ts', [
    ...['0', '--admin-port', '0', '--host', '127.0.0.1', '--log-format', 'json', '--startup-hold', '0'],
    ...args,
  ]);
  t.after(() => program.stop());
  await program.printed(/"listening"/);
  const port = Number(/"listening".*"port":(\d+)/.exec(program.stderr())?.[1]);
  const client = connectPeer(port);
  t.after(() => client.socket.destroy());
  return { program, port, client };
}

test('one line for each request: answers, and refusals by the id that they carry', async (t) => {
  const { program, port, client } = await startProxy(t, '--access-log', '1');
  const server = startProgram('services/server/main.ts', ['7', '1', '0', '--proxy', `127.0.0.1:${port}`]);
  t.after(() => server.stop());
  await program.printed(/server admitted/);
  client.send(request());
  assert.equal((await client.nextFrame()).srcid, 7);
  client.send(request('p', { policy: 'nobody\n' }));
  const refused = await client.nextFrame();
  client.send({ type: 9 });
  const unknown = await client.nextFrame();
  await program.printed(/"refused packet".*\n/);
  const lines = program
    .stdout()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ message, policy, server: by, attempts, outcome, trace }) => {
      return { message, policy, by, attempts, outcome, trace };
    }),
    [
      { message: 'request', policy: '1', by: 7, attempts: 1, outcome: 'answered', trace: undefined },
      {
        message: 'request',
        policy: 'nobody\n',
        by: undefined,
        attempts: 0,
        outcome: 'NO_SERVER',
        trace: refused.trace,
      },
      {
        message: 'refused packet',
        policy: undefined,
        by: undefined,
        attempts: 0,
        outcome: 'UNKNOWN_TYPE',
        trace: unknown.trace,
      },
    ],
  );
  assert.match(refused.trace, /^\w+-1$/);
  assert.match(unknown.trace, /^\w+-2$/);
});

test('nothing is on standard output without --access-log; at debug the log names the refusal', async (t) => {
  const { program, client } = await startProxy(t, '--log-level', 'debug');
  client.send(request());
  const { trace } = await client.nextFrame();
  await program.printed(new RegExp(`"message":"refused".*"trace":"${trace}"`));
  assert.equal(program.stdout(), '');
});

test('a reader that does not read costs lines, and no request waits for it', async (t) => {
  const { program, client } = await startProxy(t, '--access-log', '1');
  program.child.stdout?.pause();
  const batch = 500;
  // Lines of a kilobyte: the pipe, and what the proxy keeps of them, are full after some thousand.
  const packet = `${JSON.stringify(request('p', { policy: '\u0001'.repeat(128) }))}\n`.repeat(batch);
  let refused = 0;
  for (let sent = 0; sent < 20; sent += 1) {
    client.send(packet);
    for (let read = 0; read < batch; read += 1) {
      assert.equal((await client.nextFrame()).code, 'NO_SERVER');
      refused += 1;
    }
  }
  program.child.stdout?.resume();
  await program.printed(/its reader is slow/);
  const dropped = Number(/"dropped":(\d+)/.exec(program.stderr())?.[1]);
  assert.ok(dropped > 0);
  await eventually(async () => program.stdout().trimEnd().split('\n').length === refused - dropped);
});

test('lines that wait for a slow reader when the proxy is told to stop are written before it ends', async (t) => {
  const { program, client } = await startProxy(t, '--access-log', '1');
  program.child.stdout?.pause();
  // Half a megabyte: more than the pipe takes, less than what may wait.
  const requests = 500;
  const status = connect(Number(/"status":"http:[^"]*:(\d+)"/.exec(program.stderr())?.[1]), '127.0.0.1');
  t.after(() => status.destroy());
  await once(status, 'connect');
  client.send(`${JSON.stringify(request('p', { policy: '\u0001'.repeat(128) }))}\n`.repeat(requests));
  for (let read = 0; read < requests; read += 1) await client.nextFrame();
  program.child.kill('SIGTERM');
  await client.ended();
  client.socket.destroy();
  // With one thread what is written comes after all else: then only these lines keep it from ending.
  if (process.env.PROXY_WORKERS === undefined) await once(status, 'close');
  program.child.stdout?.resume();
  assert.equal(await program.exited(), 0);
  assert.equal(program.stdout().trimEnd().split('\n').length, requests);
});
