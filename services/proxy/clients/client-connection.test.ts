// test · one client connection without a socket: when it reads on, and what becomes of chunks that it can't take at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../shared/clock.ts';
import { formatRequest, formatSetup, type RequestPacket } from '../../shared/packet.ts';
import type { Connection } from '../network/network.ts';
import { type ReplySink, Request } from '../routing/request.ts';
import { ClientConnection, type PacketHandlers } from './client-connection.ts';
import { ReadTurns } from './read-turns.ts';

const MAX_FRAME_BYTES = 8192;
const MAX_OPEN = 256;
const MAX_HELD_CHUNKS = 64;
const MAX_HELD_BYTES = 16_384;

class FakeSocket implements Connection {
  writableLength = 0;
  writableEnded = false;
  writableNeedDrain = false;
  isPaused = false;
  isDestroyed = false;
  written = '';

  write(data: string): void {
    this.written += data;
  }

  end(): void {
    this.writableEnded = true;
  }

  destroy(): void {
    this.isDestroyed = true;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  setNoDelay(): void {}
}

/** @param refuses whether each request is replied to as soon as it comes */
function connect({ refuses = false } = {}) {
  const socket = new FakeSocket();
  const requests: Request[] = [];
  const soon: (() => void)[] = [];
  const clock: Pick<Clock, 'now' | 'soon' | 'after'> = {
    now: () => 1,
    soon: (work) => soon.push(work),
    after: () => () => {},
  };
  const forwarder = {
    isDraining: false,
    forward: (client: ReplySink, { clientId, policy }: RequestPacket, wire: string): void => {
      const request = new Request(client, clientId, policy, wire, null, 0);
      client.expect(request);
      requests.push(request);
      if (!refuses) return;
      request.reply = `refused ${request.clientId}\n`;
      client.deliver(request);
    },
    noteRefusal: () => '',
  };
  let isLease = false;
  const handlers: PacketHandlers = {
    forwarder,
    registrar: {
      register: (_connection, _packet, answer) => {
        isLease = true;
        answer('{}\n');
      },
    },
    sessions: {
      onPacket: () => false,
      onEnded: () => {
        isLease = false;
      },
      has: () => isLease,
    },
  };
  const context = { clock: clock as Clock, turns: new ReadTurns(clock.soon), handlers, onClosed: () => {} };
  const connection = new ClientConnection(socket, null, context);
  /** Turns the loop until nothing is left for a later turn. */
  const turn = (): void => {
    for (let work = soon.shift(); work !== undefined; work = soon.shift()) work();
  };
  const bring = (text: string): void => {
    const lent = Buffer.from(text);
    connection.onRead(lent);
    // As a buffer is that the next connection's bytes come into.
    lent.fill('"');
  };
  /** Brings bytes, and turns the loop. */
  const read = (text: string): void => {
    bring(text);
    turn();
  };
  const answer = (from: number, to: number): void => {
    for (const request of requests.slice(from, to)) {
      request.reply = `answer to ${request.clientId}\n`;
      connection.deliver(request);
    }
    connection.flush();
    turn();
  };
  const drain = (): void => {
    forwarder.isDraining = true;
  };
  return { socket, requests, connection, bring, read, answer, turn, drain, handlers };
}

const plain = (id: number): string => formatRequest(id, 'p', `payload ${id}`);
const escaped = (id: number): string => formatRequest(id, 'p', `payload "${id}"`);

test('a session that begins when its peer has ended its side already is reported as ended with the connection', () => {
  const { connection, bring, turn, handlers } = connect();
  const setup = { id: 's', policy: 'p', listenPort: 9000, incarnation: 'boot' };
  // More than one connection may have taken at once, so that the last packet waits for a later turn.
  bring(`${plain(1).repeat(20)}${formatSetup(setup)}`);
  connection.onEnd();
  turn();
  assert.equal(handlers.sessions.has(connection), true);
  connection.onClose();
  assert.equal(handlers.sessions.has(connection), false);
});

for (const [form, write] of [
  ['plain requests', plain],
  ['requests that need parsing', escaped],
] as const) {
  test(`${form} beyond the limit wait, whole, until others have been answered`, () => {
    const { socket, requests, read, answer } = connect();
    const count = MAX_OPEN + 40;
    const all = Array.from({ length: count }, (_, id) => write(id));
    read(`${all.join('')}${write(count).slice(0, 30)}`);
    assert.equal(requests.length, MAX_OPEN);
    answer(0, MAX_OPEN / 2 - 1);
    read(write(count).slice(30));
    read(write(count + 1));
    assert.equal(requests.length, MAX_OPEN);
    answer(MAX_OPEN / 2 - 1, MAX_OPEN);
    assert.deepEqual(
      requests.map(({ wire }) => wire),
      [...all, write(count), write(count + 1)],
    );
    assert.equal(socket.isPaused, false);
  });

  test(`${form} that wait are taken in up to a limit`, () => {
    const { socket, requests, read, answer } = connect();
    const all = Array.from({ length: MAX_OPEN + 2_000 }, (_, id) => write(id));
    const chunks = Array.from({ length: all.length / 32 }, (_, at) =>
      all.slice(32 * at, 32 * (at + 1)).join(''),
    );
    const chunksRead = chunks.filter((chunk) => {
      if (!socket.isPaused) read(chunk);
      return !socket.isPaused;
    });
    assert.equal(requests.length, MAX_OPEN);
    const heldBytes = chunks.slice(MAX_OPEN / 32, chunksRead.length + 1).join('').length;
    assert.ok(heldBytes >= MAX_HELD_BYTES && heldBytes < MAX_HELD_BYTES + 5_000, `${heldBytes} bytes`);
    for (let from = 0; socket.isPaused; ) {
      const until = requests.length;
      answer(from, until);
      from = until;
    }
    assert.deepEqual(
      requests.map(({ wire }) => wire),
      all.slice(0, 32 * (chunksRead.length + 1)),
    );
  });

  test(`${form} that wait are taken in up to a number of chunks, however small`, () => {
    const { socket, requests, read, answer } = connect();
    const all = Array.from({ length: MAX_OPEN + 10 }, (_, id) => write(id));
    const late = all.slice(MAX_OPEN).join('');
    read(all.slice(0, MAX_OPEN).join(''));
    let at = 0;
    for (; !socket.isPaused; at += 1) read(late[at] as string);
    assert.equal(at, MAX_HELD_CHUNKS);
    answer(0, MAX_OPEN);
    assert.equal(socket.isPaused, false);
    read(late.slice(at));
    assert.deepEqual(
      requests.map(({ wire }) => wire),
      all,
    );
  });

  test(`${form} that wait are served although the client has ended meanwhile`, () => {
    const { socket, requests, connection, read, answer } = connect();
    const all = Array.from({ length: MAX_OPEN + 1 }, (_, id) => write(id)).join('');
    read(all.slice(0, -20));
    read(all.slice(-20));
    connection.onEnd();
    answer(0, MAX_OPEN);
    assert.equal(requests.length, MAX_OPEN + 1);
    assert.equal(socket.isDestroyed, false);
    answer(MAX_OPEN, MAX_OPEN + 1);
    assert.equal(socket.isDestroyed, true);
    assert.doesNotMatch(socket.written, /BAD_JSON/);
  });

  test(`${form} wait while the client reads none of its replies`, () => {
    const { socket, requests, connection, read, turn } = connect();
    socket.writableNeedDrain = true;
    read(write(1));
    read(write(2) + write(3));
    assert.equal(requests.length, 0);
    assert.equal(socket.isPaused, true);
    socket.writableNeedDrain = false;
    connection.onDrain();
    turn();
    assert.equal(socket.isPaused, false);
    assert.deepEqual(
      requests.map(({ wire }) => wire),
      [write(1), write(2), write(3)],
    );
  });

  test(`${form} are taken in one piece, in two, and several at a time`, () => {
    const { requests, read } = connect();
    read(write(1));
    read(write(2).trimEnd());
    read(write(3).slice(0, 20));
    read(write(3).slice(20));
    read(write(4) + write(5));
    read(` \r\n${write(6)}\r\n`);
    assert.deepEqual(
      requests.map(({ wire }) => wire),
      [1, 2, 3, 4, 5, 6].map(write),
    );
  });

  test(`${form} above the largest frame are refused`, () => {
    const { socket, requests, read } = connect();
    read(write(1).replace('payload ', 'payload '.padEnd(MAX_FRAME_BYTES)));
    assert.equal(requests.length, 0);
    assert.match(socket.written, /BAD_|TOO_LARGE/);
  });

  test(`${form} of a large chunk are all refused before a connection closes after it`, () => {
    const { socket, bring, turn, drain } = connect({ refuses: true });
    drain();
    const ids = Array.from({ length: 100 }, (_, id) => id);
    bring(ids.map(write).join(''));
    assert.equal(socket.writableEnded, false);
    bring(write(100));
    turn();
    assert.equal(socket.written, [...ids, 100].map((id) => `refused ${id}\n`).join(''));
    assert.equal(socket.writableEnded, true);
  });

  test(`${form} of a connection that closes after its chunk are the last`, () => {
    const { socket, requests, read, answer, drain } = connect();
    drain();
    read(write(1));
    read(write(2));
    assert.equal(requests.length, 1);
    answer(0, 1);
    assert.equal(socket.written, 'answer to 1\n');
    assert.equal(socket.writableEnded, true);
  });
}

test('a heartbeat is not written to a connection that is about to close', () => {
  const { socket, connection, read } = connect();
  connection.send('a heartbeat\n');
  read('no packet');
  const { written } = socket;
  assert.match(written, /^a heartbeat\n.*BAD_JSON/);
  assert.equal(socket.writableEnded, true);
  connection.send('another\n');
  assert.equal(socket.written, written);
});

test('a packet that was begun slowly and refused is refused once', () => {
  const { socket, connection, read } = connect();
  read(plain(1));
  read('{"type":');
  assert.equal(connection.partialSinceMs, 1);
  read('x}');
  assert.equal(connection.partialSinceMs, 0);
  // What is too large and has no end in sight is refused for that, and not for being slow as well.
  const second = connect();
  second.read('{"a":');
  second.read(`"${'x'.repeat(MAX_FRAME_BYTES)}`);
  assert.equal(second.connection.partialSinceMs, 0);
  assert.equal(socket.written, '');
});
