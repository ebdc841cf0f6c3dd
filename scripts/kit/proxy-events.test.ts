// Following a proxy through its restarts: every event once, and each start of the proxy told apart.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { within } from '../../test-support/peers.ts';
import { type ProxyEvent, watchProxy } from './proxy-events.ts';

type Stream = {
  /** The event that the reader says it has seen last. */
  lastId: string | undefined;
  send(boot: string, seq: number): void;
  sendRaw(text: string): void;
  end(): void;
};

function block(boot: string, seq: number): string {
  const event = { seq, atMs: seq, type: 'admitted', policy: '1', id: 7, address: 'a:1', why: 'so', sent: 3 };
  return `id: ${boot}-${seq}\nevent: admitted\ndata: ${JSON.stringify(event)}\n\n`;
}

/** A status listener whose event streams the test writes. */
async function scriptedStatus(): Promise<{ url: string; nextStream(): Promise<Stream>; close(): void }> {
  const streams: Stream[] = [];
  const waiting: ((stream: Stream) => void)[] = [];
  const server: Server = createServer((request, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    const stream: Stream = {
      lastId: request.headers['last-event-id'] as string | undefined,
      send: (boot, seq) => response.write(block(boot, seq)),
      sendRaw: (text) => response.write(text),
      end: () => response.destroy(),
    };
    const wanted = waiting.shift();
    if (wanted === undefined) streams.push(stream);
    else wanted(stream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    nextStream: () =>
      within(
        new Promise((resolve) => {
          const ready = streams.shift();
          if (ready === undefined) waiting.push(resolve);
          else resolve(ready);
        }),
        5_000,
        'a stream',
      ),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

test('events are reported once, over broken streams and restarts', async (t) => {
  const status = await scriptedStatus();
  t.after(() => status.close());
  const seen: ProxyEvent[] = [];
  let look = (): void => {};
  const turns: [what: string, atMs: number][] = [];
  const watch = watchProxy(status.url, {
    event: (event) => {
      seen.push(event);
      look();
    },
    listens: (atMs) => turns.push(['listens', atMs]),
    closes: (atMs) => turns.push(['closes', atMs]),
  });
  t.after(() => watch.close());
  const count = (wanted: number): Promise<void> =>
    within(
      new Promise((resolve) => {
        look = () => {
          if (seen.length >= wanted) resolve();
        };
        look();
      }),
      5_000,
      `${wanted} events`,
    );

  const first = await status.nextStream();
  first.sendRaw(': the last events, then every new one\n\n');
  first.send('a-b', 1);
  const split = block('a-b', 2);
  first.sendRaw(split.slice(0, 20));
  first.sendRaw(split.slice(20));
  await count(2);
  first.end();

  const again = await status.nextStream();
  assert.equal(again.lastId, 'a-b-2', 'so that the proxy sends only what is new');
  again.send('a-b', 3);
  await count(3);
  again.end();

  const restarted = await status.nextStream();
  restarted.send('a-c', 1);
  restarted.send('a-c', 2);
  await count(5);
  assert.deepEqual(
    seen.map(({ seq, boot, id, sent }) => [seq, boot, id, sent]),
    [
      [1, 0, '7', 3],
      [2, 0, '7', 3],
      [3, 0, '7', 3],
      [1, 1, '7', 3],
      [2, 1, '7', 3],
    ],
  );
  assert.deepEqual(
    turns.map(([what]) => what),
    ['listens', 'closes', 'listens', 'closes', 'listens'],
    'each time that the status port answered, and ended what it answered',
  );
  const moments = turns.map(([, atMs]) => atMs);
  assert.deepEqual(
    moments,
    moments.toSorted((a, b) => a - b),
  );
});

test('a proxy that is not there gives no sample', async () => {
  const status = await scriptedStatus();
  status.close();
  const watch = watchProxy(status.url, { event: () => {} });
  assert.equal(await watch.sample(), null);
  watch.close();
});
