import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../kit/random.ts';
import { Host, Timeline } from './host.ts';
import { AcceptQueue, SimulatedNetwork } from './network.ts';
import type { SimulatedSocket } from './socket.ts';

const LATENCY = { min: 5, max: 5, splitPercent: 0 };

function world(portsPerDestination = Number.POSITIVE_INFINITY) {
  const timeline = new Timeline(1000);
  const network = new SimulatedNetwork(timeline, new Random(1), LATENCY);
  network.portsPerDestination = portsPerDestination;
  const [client, server] = [
    new Host('client', '10.0.0.1', timeline),
    new Host('server', '10.0.0.2', timeline),
  ];
  network.attach(client);
  network.attach(server);
  network.limitedAddress = client.address;
  const runFor = (ms: number): void => {
    const untilMs = timeline.nowMs + ms;
    for (let work = timeline.next(untilMs); work !== null; work = timeline.next(untilMs)) work();
  };
  const dial = () => {
    const seen: string[] = [];
    const socket = network.dial(client, server.address, 80);
    socket.on('connect', () => seen.push('connected'));
    socket.on('error', ({ code }) => seen.push(code ?? ''));
    socket.on('data', (chunk) => seen.push(chunk.toString()));
    return { socket, seen };
  };
  return { network, server, runFor, dial };
}

test('a SYN that finds the accept queue full is dropped, and comes again after a second', () => {
  const { network, server, runFor, dial } = world();
  const done: (() => void)[] = [];
  network.listen(server, 80, true, new AcceptQueue(server, 1, (_connection, finish) => done.push(finish)));
  // One is served, and one more than the backlog waits.
  const dialled = Array.from({ length: 4 }, dial);
  runFor(500);
  assert.deepEqual(
    dialled.map(({ seen }) => seen.length),
    [1, 1, 1, 0],
  );
  assert.equal(network.droppedSyns, 1);
  done[0]?.();
  runFor(400);
  assert.deepEqual(dialled[3]?.seen, []);
  runFor(200);
  assert.deepEqual(dialled[3]?.seen, ['connected']);
});

test('what was sent before the connection is accepted is read after that', () => {
  const { network, server, runFor, dial } = world();
  const read: string[] = [];
  const serve = (connection: SimulatedSocket, finish: () => void): void => {
    connection.on('data', (chunk) => {
      read.push(chunk.toString());
      connection.end();
      finish();
    });
  };
  network.listen(server, 80, true, new AcceptQueue(server, 5, serve));
  for (const text of ['first', 'second', 'third']) dial().socket.write(text, 'utf8');
  runFor(50);
  assert.deepEqual(read, ['first', 'second', 'third']);
});

for (const { who, isFree } of [
  { who: 'we', isFree: false },
  { who: 'the server', isFree: true },
]) {
  test(`the only port is ${isFree ? 'free again' : 'taken for a minute'} when ${who} closed first`, () => {
    const { network, server, runFor, dial } = world(1);
    const accepted: SimulatedSocket[] = [];
    network.listen(server, 80, false, (connection) => accepted.push(connection));
    const first = dial();
    runFor(10);
    if (who === 'we') first.socket.destroy();
    else accepted[0]?.end();
    runFor(10);
    const second = dial();
    runFor(10);
    assert.deepEqual(second.seen, isFree ? ['connected'] : ['EADDRNOTAVAIL']);
    runFor(60_000);
    const third = dial();
    runFor(10);
    assert.equal(third.seen.includes('connected'), !isFree);
  });
}

test('a connection that was reset leaves no port behind', () => {
  const { network, server, runFor, dial } = world(1);
  network.listen(server, 80, false, () => {});
  const first = dial();
  runFor(10);
  first.socket.resetAndDestroy();
  runFor(10);
  const second = dial();
  runFor(10);
  assert.deepEqual(second.seen, ['connected']);
});

test('a middlebox forgets what was silent, both ways, unless the kernel asks in between', () => {
  for (const asksAfterMs of [null, 500, 5000]) {
    const { network, server, runFor, dial } = world();
    network.forgetsAfterMs = 1000;
    network.listen(server, 80, false, (connection) => {
      connection.on('data', (chunk) => connection.write(chunk.toString(), 'utf8'));
    });
    const { socket, seen } = dial();
    if (asksAfterMs !== null) socket.setKeepAlive(true, asksAfterMs);
    socket.write('a', 'utf8');
    runFor(900);
    socket.write('b', 'utf8');
    runFor(1500);
    socket.write('c', 'utf8');
    runFor(100);
    assert.deepEqual(seen, asksAfterMs === 500 ? ['connected', 'a', 'b', 'c'] : ['connected', 'a', 'b']);
  }
});
