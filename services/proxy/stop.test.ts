// A proxy that stops tells whoever has connected by then, also those whom it has not accepted yet.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { request, testProxy } from '../../test-support/cluster.ts';
import { within } from '../../test-support/peers.ts';

/** Shortly before the port closes, which is 50 ms after the stop began. */
const BEFORE_CLOSE_MS = 40;
/** Longer than until then, and than a client takes to connect. */
const BUSY_MS = 150;

// In a process of its own: it connects and sends while the proxy's loop is busy and accepts nobody.
const CLIENT = `
  process.stdin.once('data', () => {
    const socket = require('node:net').connect(Number(process.argv[1]), '127.0.0.1');
    socket.on('error', (error) => { console.log(error.code); process.exit(); });
    socket.on('data', (reply) => { console.log(String(reply)); process.exit(); });
    socket.on('close', () => { console.log('closed'); process.exit(); });
    socket.write(process.argv[2]);
  });
  console.log('ready');
`;

test('who waits in the accept queue when the port closes is told that the proxy shuts down', async (t) => {
  const proxy = await testProxy(t);
  const wire = `${JSON.stringify(request())}\n`;
  const client = spawn(process.execPath, ['--eval', CLIENT, String(proxy.port), wire]);
  t.after(() => client.kill());
  let said = '';
  client.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await within(once(client.stdout, 'data'), 5_000, 'a client that is ready');
  // In an immediate: the next things that the loop looks at are its timers, and sockets only after them.
  const keepBusy = (): void => {
    client.stdin.write('go');
    const untilMs = performance.now() + BUSY_MS;
    while (performance.now() < untilMs);
  };
  setTimeout(() => setImmediate(keepBusy), BEFORE_CLOSE_MS);
  const stopped = proxy.stop();
  await within(once(client, 'close'), 5_000, 'the end of the client');
  await stopped;
  assert.match(said, /SHUTTING_DOWN/);
});
