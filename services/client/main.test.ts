// test · the client as a real process against scripted proxies: every exit code.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePort, type ScriptedServer, scriptedServer } from '../../test-support/peers.ts';
import { type Program, startProgram } from '../../test-support/programs.ts';

const PAYLOAD = 'Packet for privacy policy 2';
const DIGEST = createHash('sha1').update(PAYLOAD).digest('hex');
const ANSWER = { type: 2, srcid: 21, destid: 111, payloadsize: 40, payload: DIGEST };
const REFUSAL = {
  type: -1,
  code: 'NO_SERVER',
  retryable: true,
  sent: false,
  payload: 'Nobody serves policy 2.',
};

type Setting = { environment?: Record<string, string>; cwd?: string };

function run(t: TestContext, args: string[], setting: Setting = {}): Program {
  const program = startProgram('services/client/main.ts', args, setting);
  t.after(() => program.stop());
  return program;
}

async function proxyThat(
  t: TestContext,
  script: Parameters<typeof scriptedServer>[0],
): Promise<ScriptedServer> {
  const proxy = await scriptedServer(script);
  t.after(() => proxy.close());
  return proxy;
}

// Replies once the whole packet has come.
function replying(reply: string | object): Parameters<typeof scriptedServer>[0] {
  return (peer) => {
    peer.nextFrame().then(
      () => peer.send(reply),
      () => {},
    );
  };
}

const at = (proxy: { port: number }): string[] => ['--proxy', `127.0.0.1:${proxy.port}`];

test('0: the digest is right', async (t) => {
  const proxy = await proxyThat(t, replying(ANSWER));
  const program = run(t, ['client_packet_2.json', ...at(proxy)]);
  assert.equal(await program.exited(), 0);
  const [first, second, ...rest] = program.stdout().trimEnd().split('\n');
  assert.equal(first, 'Transmission successfully received by server');
  assert.match(second ?? '', /^Server 21, round trip \d+\.\d\d ms$/);
  assert.deepEqual([rest, program.stderr()], [[], '']);
  const packet = JSON.parse(proxy.connections[0]?.received() ?? '');
  assert.deepEqual([packet.srcid, packet.privPoliId, packet.payload], [111, 2, PAYLOAD]);
});

test("0: the original's three arguments", async (t) => {
  const proxy = await proxyThat(t, replying(ANSWER));
  const program = run(t, ['007', String(proxy.port), 'client_packet_2.json']);
  assert.equal(await program.exited(), 0);
  assert.equal(JSON.parse(proxy.connections[0]?.received() ?? '').srcid, '007');
});

test('0: everything from the environment', async (t) => {
  const proxy = await proxyThat(t, replying(ANSWER));
  const environment = { CLIENT_PROXY: `127.0.0.1:${proxy.port}`, CLIENT_ID: '5', CLIENT_TIMEOUT: '3000' };
  const program = run(t, ['client_packet_2.json'], { environment });
  assert.equal(await program.exited(), 0);
  assert.equal(JSON.parse(proxy.connections[0]?.received() ?? '').srcid, 5);
});

test('0: where the cluster is published, unless something else is said', async (t) => {
  const proxy = await proxyThat(t, replying(ANSWER));
  const published = { PROXY_PUBLISH_PORT: String(proxy.port) };
  assert.equal(await run(t, ['client_packet_2.json'], { environment: published }).exited(), 0);
  const elsewhere = { PROXY_PUBLISH_PORT: '1', CLIENT_PROXY: `127.0.0.1:${proxy.port}` };
  assert.equal(await run(t, ['client_packet_2.json'], { environment: elsewhere }).exited(), 0);
});

test("0: the original's three arguments beside a proxy of the environment", async (t) => {
  const proxy = await proxyThat(t, replying(ANSWER));
  const environment = { CLIENT_PROXY: '127.0.0.1:1', CLIENT_ID: '7' };
  const program = run(t, ['5', String(proxy.port), 'client_packet_2.json'], { environment });
  assert.equal(await program.exited(), 0);
  assert.equal(JSON.parse(proxy.connections[0]?.received() ?? '').srcid, 5);
});

test('0: a file beside the user, whom npm has taken elsewhere', async (t) => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'policy-proxy-'));
  t.after(() => rm(directory, { recursive: true }));
  const text = ` {"type": "0", "srcid":1, "privPolyId":"2","payload":"${PAYLOAD}"}\n\n`;
  await writeFile(path.join(directory, 'odd.json'), text);
  const proxy = await proxyThat(t, replying(ANSWER));
  const program = run(t, ['odd.json', ...at(proxy)], { environment: { INIT_CWD: directory } });
  assert.equal(await program.exited(), 0);
  assert.equal(proxy.connections[0]?.received(), text, 'byte for byte');
});

test('0: a reply that arrives split at every byte', async (t) => {
  const proxy = await proxyThat(t, (peer) => {
    peer.socket.setNoDelay(true);
    void (async () => {
      await peer.nextFrame();
      for (const byte of Buffer.from(`${JSON.stringify(ANSWER)}\n`)) {
        await new Promise<void>((resolve) => peer.socket.write(Uint8Array.of(byte), () => resolve()));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })().catch(() => {});
  });
  assert.equal(await run(t, ['client_packet_2.json', ...at(proxy)]).exited(), 0);
});

test('0: one of several proxies is enough, wherever it stands in the list', async (t) => {
  const proxy = await proxyThat(t, replying(ANSWER));
  const nowhere = `127.0.0.1:${await freePort()}`;
  for (const list of [`${nowhere},127.0.0.1:${proxy.port}`, `127.0.0.1:${proxy.port},${nowhere}`]) {
    const program = run(t, ['client_packet_2.json', '--proxy', list]);
    assert.equal(await program.exited(), 0, program.stderr());
    assert.equal(program.stderr(), '');
  }
});

const NO_REPLIES: [string, Parameters<typeof scriptedServer>[0], RegExp][] = [
  [
    'closes without a reply',
    (peer) => peer.nextFrame().then(() => peer.close()),
    /closed the connection without a reply/,
  ],
  [
    'breaks the connection',
    (peer) => peer.nextFrame().then(() => peer.reset()),
    /broke the connection \(ECONNRESET\)/,
  ],
  [
    'closes in the middle of its reply',
    (peer) => peer.nextFrame().then(() => peer.socket.end('{"type":2,')),
    /without a reply/,
  ],
  ['sends what is no packet', replying('HTTP/1.1 400 Bad Request\r\n\r\n'), /sent what is not a packet/],
  ['says nothing', () => {}, /took the packet and sent no reply within \d+ ms/],
];

for (const [name, script, sentence] of NO_REPLIES) {
  test(`4: a proxy that ${name}`, async (t) => {
    const proxy = await proxyThat(t, script);
    const program = run(t, ['client_packet_2.json', '--timeout', '700', ...at(proxy)]);
    assert.equal(await program.exited(), 4);
    assert.match(program.stderr(), sentence);
    assert.match(program.stderr(), /docker compose ps/);
    assert.equal(program.stdout(), '');
  });
}

test('4: nobody there', async (t) => {
  const program = run(t, ['client_packet_2.json', ...at({ port: await freePort() })]);
  assert.equal(await program.exited(), 4);
  assert.match(program.stderr(), /127\.0\.0\.1:\d+ can't be reached \(ECONNREFUSED\)/);
  assert.match(program.stderr(), /npm start/);
});

test('4: nobody there, at any of several addresses', async (t) => {
  const ports = [await freePort(), await freePort(), await freePort()];
  const program = run(t, [
    'client_packet_2.json',
    '--proxy',
    ports.map((port) => `127.0.0.1:${port}`).join(),
  ]);
  assert.equal(await program.exited(), 4);
  for (const port of ports) {
    assert.ok(
      program.stderr().includes(`127.0.0.1:${port} can't be reached (ECONNREFUSED)`),
      program.stderr(),
    );
  }
});

test('1: a wrong digest is told, and not asked about without a terminal', async (t) => {
  const proxy = await proxyThat(t, replying({ ...ANSWER, payload: 'f'.repeat(40) }));
  const program = run(t, ['client_packet_2.json', ...at(proxy)]);
  assert.equal(await program.exited(), 1);
  assert.match(program.stderr(), new RegExp(`corrupted: the digest is f{40}, and should be ${DIGEST}`));
  assert.match(program.stderr(), /server 21/);
  assert.equal(program.stdout(), '');
});

test('1: a reply that is no answer', async (t) => {
  const proxy = await proxyThat(t, replying({ type: 3 }));
  const program = run(t, ['client_packet_2.json', ...at(proxy)]);
  assert.equal(await program.exited(), 1);
});

test("3: the proxy's sentence and code, and whether trying again can help", async (t) => {
  const proxy = await proxyThat(t, replying(REFUSAL));
  const program = run(t, ['client_packet_2.json', ...at(proxy)]);
  assert.equal(await program.exited(), 3);
  assert.equal(program.stderr(), 'Nobody serves policy 2.\nError NO_SERVER: trying again can help.\n');
});

test("3: the id of the refusal in the proxy's logs", async (t) => {
  const proxy = await proxyThat(t, replying({ ...REFUSAL, trace: 'boot-7' }));
  const program = run(t, ['client_packet_2.json', ...at(proxy)]);
  assert.equal(await program.exited(), 3);
  assert.match(program.stderr(), /trying again can help\.\nIn the proxy's logs: boot-7\n$/);
});

test('3: an error that trying again will not help, of a packet that was worked on', async (t) => {
  const proxy = await proxyThat(
    t,
    replying({ ...REFUSAL, code: 'BAD_PACKET', retryable: false, sent: true }),
  );
  const program = run(t, ['client_packet_2.json', ...at(proxy)]);
  assert.equal(await program.exited(), 3);
  assert.match(
    program.stderr(),
    /BAD_PACKET: trying again as it is will not help\. A server may have worked on/,
  );
});

test("3: what a peer wrote can't steer the terminal", async (t) => {
  const payload = 'red \u001b[31m \u0007 \u009b2J \u202eleft \u2066\u200f';
  const proxy = await proxyThat(t, replying({ ...REFUSAL, payload }));
  const program = run(t, ['client_packet_2.json', ...at(proxy)]);
  assert.equal(await program.exited(), 3);
  const [line] = program.stderr().split('\n');
  assert.equal(line, String.raw`red \u001b[31m \u0007 \u009b2J \u202eleft \u2066\u200f`);
});

const BAD_USAGE: [string, string[], Setting, RegExp][] = [
  ['no arguments', [], {}, /Give one packet file/],
  ['two arguments', ['1', '10000'], {}, /Give one packet file/],
  ['a port that is a word', ['1', 'http', 'client_packet_1.json'], {}, /PROXY_PORT must be a whole number/],
  [
    'no such file',
    ['nowhere.json'],
    {},
    /nowhere\.json is not there.*\n.*docker compose run --rm -v "\$PWD:\/m" client/,
  ],
  [
    'no such file for npm, which runs in no container',
    ['nowhere.json'],
    { environment: { INIT_CWD: os.tmpdir() } },
    /nowhere\.json is not there.*\nTry: /,
  ],
  [
    'two ports',
    ['5', '10001', 'client_packet_1.json', '--proxy', 'proxy:10000'],
    {},
    /and --proxy say the same/,
  ],
  ['two ids', ['5', '10001', 'client_packet_1.json', '--id=6'], {}, /and --id say the same/],
  [
    'a published port that is none',
    ['client_packet_1.json'],
    { environment: { PROXY_PUBLISH_PORT: 'x' } },
    /PROXY_PUBLISH_PORT is "x"/,
  ],
  ['a proxy without port', ['client_packet_1.json', '--proxy', 'proxy'], {}, /--proxy is "proxy"/],
  ['one of several without port', ['client_packet_1.json', '--proxy', 'a:1,b'], {}, /--proxy is "b"/],
  ['a timeout of 0', ['client_packet_1.json', '--timeout', '0'], {}, /--timeout must be a whole number/],
  ['an id that is too long', ['client_packet_1.json', '--id', 'x'.repeat(129)], {}, /1 to 128 characters/],
  ['an unknown option', ['client_packet_1.json', '--colour', 'red'], {}, /colour/],
  [
    'a timeout of the environment',
    ['client_packet_1.json'],
    { environment: { CLIENT_TIMEOUT: 'x' } },
    /CLIENT_TIMEOUT/,
  ],
];

for (const [name, args, setting, sentence] of BAD_USAGE) {
  test(`2: ${name}`, async (t) => {
    const program = run(t, args, setting);
    assert.equal(await program.exited(), 2);
    assert.match(program.stderr(), sentence);
  });
}

test('2: a payload that is too long never leaves', async (t) => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'policy-proxy-'));
  t.after(() => rm(directory, { recursive: true }));
  await writeFile(path.join(directory, 'long.json'), JSON.stringify({ type: 0, payload: 'é'.repeat(600) }));
  const proxy = await proxyThat(t, replying(ANSWER));
  const program = run(t, ['long.json', ...at(proxy)], { environment: { INIT_CWD: directory } });
  assert.equal(await program.exited(), 2);
  assert.match(program.stderr(), /1200 bytes.*1024/);
  assert.equal(proxy.connections.length, 0);
});

test('2: a file that is no UTF-8 never leaves', async (t) => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'policy-proxy-'));
  t.after(() => rm(directory, { recursive: true }));
  const text = '{"type":0,"srcid":1,"privPoliId":2,"payload":"caf\xe9"}';
  await writeFile(path.join(directory, 'latin.json'), Buffer.from(text, 'latin1'));
  const proxy = await proxyThat(t, replying(ANSWER));
  const args = ['111', String(proxy.port), 'latin.json'];
  const program = run(t, args, { environment: { INIT_CWD: directory } });
  assert.equal(await program.exited(), 2);
  assert.match(program.stderr(), /latin\.json is not valid UTF-8, at byte 49/);
  assert.equal(proxy.connections.length, 0);
});

test('0: an id changes nothing else of a file', async (t) => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'policy-proxy-'));
  t.after(() => rm(directory, { recursive: true }));
  const text = `{"type":0,"srcid":1,"privPoliId":9007199254740993,"payload":"${PAYLOAD}"}\n`;
  await writeFile(path.join(directory, 'big.json'), text);
  const proxy = await proxyThat(t, replying(ANSWER));
  const program = run(t, ['big.json', '--id', 'me', ...at(proxy)], { environment: { INIT_CWD: directory } });
  assert.equal(await program.exited(), 0);
  assert.equal(proxy.connections[0]?.received(), text.replace('"srcid":1', '"srcid":"me"'));
});

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${code}: ${signal} while it waits`, async (t) => {
    const proxy = await proxyThat(t, () => {});
    const program = run(t, ['client_packet_2.json', ...at(proxy)]);
    await (await proxy.nextConnection()).nextFrame();
    program.child.kill(signal);
    assert.equal(await program.exited(), code);
  });
}

test('--help tells exit codes and examples', async (t) => {
  const program = run(t, ['--help']);
  assert.equal(await program.exited(), 0);
  for (const wanted of [
    'CLIENT_PROXY',
    'CLIENT_ID',
    'CLIENT_TIMEOUT',
    'Exit codes',
    'Examples',
    'client_packet_2.json',
  ]) {
    assert.ok(program.stdout().includes(wanted), wanted);
  }
});
