import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newcomer } from '../health/health.ts';
import type { DialledConnection, Network } from '../network/network.ts';
import { Request, Trouble } from '../routing/request.ts';
import type { FailureKind } from './failure.ts';
import { Flusher } from './flusher.ts';
import { LonePlaces } from './limits/lone-places.ts';
import { Pool, type PoolOptions, type TrafficObserver } from './pool.ts';
import { Upstream } from './upstream.ts';

const OPTIONS: PoolOptions = {
  upstreamConnections: 1,
  oneRequestConnections: 4,
  connectTimeoutMs: 1000,
  attemptTimeoutMs: 500,
  requestTimeoutMs: 2000,
  upstreamIdleMs: 30_000,
};
const CAPACITY = 128;
const client = { isClosed: false, lines: [], expect: () => {}, deliver: () => {}, flush: () => {} };

/** What became of a connection, and how its server uses it. */
type Socket = {
  written: string;
  ended: string;
  read(text: string): void;
  fail(code: string): void;
};

// A pool, and the connections that it has opened, which stand at once unless they are not to.
class Scene {
  nowMs = 0;
  isTrusted = true;
  readonly lonePlaces = new LonePlaces(() => 1);
  readonly upstream: Upstream;
  readonly pool: Pool;
  readonly sockets: Socket[] = [];
  readonly silences: string[] = [];
  readonly givenUp: string[] = [];
  readonly broken: [FailureKind, wires: string, wasConnected: boolean][] = [];
  readonly #turns: (() => void)[] = [];

  constructor(options: Partial<PoolOptions> = {}, { keepsAlive = true, stands = true } = {}) {
    const registration = { id: 1, policy: '1', host: '10.0.0.1', port: 1, keepsAlive, incarnation: null };
    this.upstream = new Upstream(registration, keepsAlive ? CAPACITY : 4, 1, newcomer(0, ''), 0);
    const network: Pick<Network, 'connect'> = {
      connect: (_host, _port, onConnected, onRead) => {
        let onError = (_error: NodeJS.ErrnoException): void => {};
        const socket: Socket = {
          written: '',
          ended: '',
          read: (text) => onRead(Buffer.from(text)),
          fail: (code) => onError(Object.assign(new Error(code), { code })),
        };
        this.sockets.push(socket);
        if (stands) this.#turns.push(onConnected);
        const dialled = {
          on: (event: string, listener: typeof onError) => {
            if (event === 'error') onError = listener;
          },
          setKeepAlive: () => {},
          write: (text: string) => {
            socket.written += text;
          },
          destroy: () => {
            socket.ended = 'closed';
          },
          resetAndDestroy: () => {
            socket.ended = 'reset';
          },
        };
        return dialled as unknown as DialledConnection;
      },
    };
    const observer: TrafficObserver = {
      onBusy: () => {},
      onAnswer: () => this.isTrusted,
      onAnswersEnd: () => {},
      onSilence: (_upstream, { first, behind, isNews }) => {
        if (!isNews) return;
        this.silences.push(first.wire);
        for (const request of behind) this.pool.send(request, this.nowMs);
      },
      onGivenUp: (_upstream, { wire }) => this.givenUp.push(wire),
      onBroken: (_upstream, failure, unanswered, wasConnected) =>
        this.broken.push([failure, unanswered.map(({ wire }) => wire).join(''), wasConnected]),
    };
    const flusher = new Flusher((work) => this.#turns.push(work));
    const world = {
      network: network as Network,
      flusher,
      now: () => this.nowMs,
      watch: null,
      lonePlaces: this.lonePlaces,
    };
    this.pool = new Pool(this.upstream, { ...OPTIONS, ...options }, world, observer);
  }

  get written(): string[] {
    return this.sockets.map(({ written }) => written);
  }

  /** Hands requests over, which are not written yet. */
  hand(...wires: string[]): Request[] {
    const requests = wires.map((wire) => new Request(client, 1, '1', wire, null, this.nowMs + 2000));
    for (const request of requests) this.pool.send(request, this.nowMs);
    return requests;
  }

  send(...wires: string[]): Request[] {
    const requests = this.hand(...wires);
    this.runTurns();
    return requests;
  }

  /** The server answers the oldest request on a connection. */
  answer(at = 0): void {
    this.sockets[at]?.read(`{"type":2,"destid":1,"payload":"${this.nowMs}"}\n`);
  }

  /** Goes on in time, with the sweeps on the way. */
  goTo(ms: number): void {
    while (this.nowMs < ms) {
      this.nowMs = Math.min(ms, this.nowMs + 20);
      this.pool.sweep(this.nowMs);
      this.runTurns();
    }
  }

  runTurns(): void {
    for (let turn = this.#turns.shift(); turn !== undefined; turn = this.#turns.shift()) turn();
  }
}

test('an answer gives back what its request took', () => {
  const scene = new Scene();
  const [request] = scene.send('a');
  assert.deepEqual([scene.upstream.tally.inFlight, request?.placements], [1, 1]);
  scene.answer();
  assert.deepEqual([scene.upstream.tally.inFlight, request?.placements], [0, 0]);
});

test('a connection that does not stand in time is given up, with all on it', () => {
  const scene = new Scene({}, { stands: false });
  const [request] = scene.send('a', 'b');
  scene.goTo(1000);
  assert.deepEqual(scene.broken, []);
  scene.goTo(1040);
  assert.deepEqual(scene.broken, [['connect-timeout', 'ab', false]]);
  assert.deepEqual([scene.upstream.tally.inFlight, request?.placements], [0, 0]);
});

test('nothing new joins a silent connection, until its server answers', () => {
  const scene = new Scene();
  scene.send('a');
  scene.goTo(600);
  scene.send('b');
  assert.deepEqual([scene.written, scene.silences], [['a', 'b'], ['a']]);
  scene.answer(0);
  scene.send('c');
  assert.deepEqual(scene.written, ['ac', 'b']);
});

test('a server whose connections fall silent one after the other gets sixteen', () => {
  const scene = new Scene();
  for (let sent = 0; sent < 20; sent += 1) {
    scene.send('a');
    scene.goTo(scene.nowMs + 600);
  }
  assert.equal(scene.sockets.length, 16);
});

test('what waits on a silent connection is not moved to one that has fallen silent with it', () => {
  const scene = new Scene({ upstreamConnections: 2 });
  scene.send('a', 'b', 'c', 'd');
  assert.deepEqual(scene.written, ['ac', 'bd']);
  scene.goTo(530);
  assert.deepEqual(scene.written.slice(0, 2), ['ac', 'bd']);
  assert.match(scene.written[2] ?? '', /^cd/);
});

test('a silent request takes no room from others once a probe has shown that the server serves them', () => {
  const scene = new Scene();
  scene.send('a');
  scene.goTo(600);
  assert.deepEqual([scene.pool.isStuck(600), scene.upstream.capacity], [true, CAPACITY]);
  scene.upstream.tally.provenMs = 610;
  scene.goTo(620);
  assert.deepEqual([scene.pool.isStuck(620), scene.upstream.capacity], [false, CAPACITY + 1]);
  scene.answer();
  scene.goTo(640);
  assert.equal(scene.upstream.capacity, CAPACITY);
});

test('a server is blamed once for a request that it has not answered, and the connection ends with its last one', () => {
  const scene = new Scene();
  const [first, second] = scene.send('a', 'b') as [Request, Request];
  first.reply = 'from elsewhere';
  scene.goTo(700);
  assert.deepEqual([scene.givenUp, scene.broken], [['a'], []]);
  second.reply = 'from elsewhere';
  scene.goTo(720);
  assert.deepEqual([scene.givenUp, scene.broken], [['a'], [['silent', 'ab', true]]]);
});

test('a connection is used again until it has been idle for too long', () => {
  const scene = new Scene();
  scene.send('a');
  scene.nowMs = 20;
  scene.answer();
  scene.nowMs = 30_000;
  scene.send('b');
  scene.nowMs = 30_010;
  scene.answer();
  scene.nowMs = 60_009;
  scene.send('c');
  scene.answer();
  assert.deepEqual(scene.written, ['abc']);
  scene.nowMs = 90_010;
  scene.send('d');
  assert.deepEqual([scene.written, scene.sockets[0]?.ended], [['abc', 'd'], 'closed']);
});

test('a pool that is retired takes nothing, finishes what it has, and closes', () => {
  const scene = new Scene();
  scene.send('a');
  scene.pool.retire();
  assert.deepEqual([scene.upstream.isFull, scene.sockets[0]?.ended], [true, '']);
  scene.answer();
  assert.deepEqual([scene.sockets[0]?.ended, scene.broken], ['closed', []]);
});

test('of a server that closes first, 32 connections at most are waited for', () => {
  const scene = new Scene({}, { keepsAlive: false });
  for (let at = 0; at < 40; at += 1) {
    scene.send('a');
    scene.answer(at);
  }
  assert.equal(scene.sockets.filter(({ ended }) => ended === 'reset').length, 8);
});

test('where no port is left for a second connection, the one that stands carries the request', () => {
  const scene = new Scene({ upstreamConnections: 2 });
  scene.send('a');
  const [request] = scene.hand('b');
  scene.sockets[1]?.fail('EADDRNOTAVAIL');
  scene.runTurns();
  assert.deepEqual(scene.written, ['ab', '']);
  const { inFlight, sent } = scene.upstream.tally;
  assert.deepEqual([request?.placements, inFlight, sent], [1, 2, 2]);
  assert.deepEqual(scene.broken, [['local', '', false]]);
  scene.nowMs = 249;
  scene.send('c');
  assert.equal(scene.sockets.length, 2, 'one more would fail as well');
  scene.nowMs = 250;
  scene.send('d');
  assert.equal(scene.sockets.length, 3);
});

test('one that does not stand yet carries nothing that another was meant for', () => {
  const scene = new Scene({ upstreamConnections: 2 }, { stands: false });
  const requests = scene.send('a', 'b');
  for (const socket of scene.sockets) socket.fail('EMFILE');
  assert.deepEqual(scene.broken, [
    ['local', 'a', false],
    ['local', 'b', false],
  ]);
  assert.deepEqual(
    requests.map(({ placements }) => placements),
    [0, 0],
  );
});

test('a connection that carries one request alone has a place until its end, however it ends', () => {
  const scene = new Scene();
  const alone = (wire: string): Socket => {
    const request = new Request(client, 1, '1', wire, null, 2000);
    request.trouble = new Trouble(0);
    request.trouble.isAlone = true;
    scene.pool.send(request, 0);
    scene.runTurns();
    return scene.sockets.at(-1) as Socket;
  };
  const answer = '{"type":2,"destid":1}\n';
  const ends: ((socket: Socket) => void)[] = [
    ({ fail }) => fail('ECONNREFUSED'),
    ({ read }) => read(answer),
    ({ read }) => {
      scene.isTrusted = false;
      read(answer);
    },
    () => scene.pool.destroy(),
  ];
  for (const end of ends) {
    const first = alone('a');
    const second = alone('b');
    assert.equal(scene.lonePlaces.hasRoom('1'), false);
    end(first);
    second.fail('ECONNRESET');
    assert.equal(scene.lonePlaces.hasRoom('1'), true);
  }
  scene.send('c');
  assert.equal(scene.lonePlaces.hasRoom('1'), true);
});
