import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newcomer } from '../health/health.ts';
import type { DialledConnection, Network } from '../network/network.ts';
import { readProxyOptions } from '../options.ts';
import { Request, Trouble } from '../routing/request.ts';
import type { FailureKind } from './failure.ts';
import { Flusher } from './flusher.ts';
import { LonePlaces } from './lone-places.ts';
import { Pool } from './pool.ts';
import { Upstream } from './upstream.ts';

const client = { isClosed: false, lines: [], expect: () => {}, deliver: () => {}, flush: () => {} };

type Dialled = { written: string; stand(): void; answer(line: string): void; fail(code: string): void };

const requestOf = (text: string): Request => new Request(client, 1, '1', text, null, 5000);

// A pool of one server that keeps connections, whose network is a list: what was dialled, and what was written on it.
class Scene {
  readonly dialled: Dialled[] = [];
  isTrusted = true;
  readonly broken: { failure: FailureKind; requests: Request[] }[] = [];
  readonly upstream: Upstream;
  readonly pool: Pool;
  readonly lonePlaces = new LonePlaces(() => 1);
  readonly #soon: (() => void)[] = [];

  constructor(upstreamConnections: number) {
    const host = { id: 1, policy: '1', host: '10.0.0.1', port: 9000, keepsAlive: true, incarnation: null };
    this.upstream = new Upstream(host, 64, 1, newcomer(0, ''), 0);
    const observer = {
      ...{ onBusy: () => {}, onAnswer: () => this.isTrusted, onAnswersEnd: () => {} },
      ...{ onSilence: () => {}, onGivenUp: () => {} },
      onBroken: (_upstream: Upstream, failure: FailureKind, requests: readonly Request[]) =>
        void this.broken.push({ failure, requests: [...requests] }),
    };
    const network: Pick<Network, 'connect'> = {
      connect: (_host, _port, onConnected, onRead) => this.#dial(onConnected, onRead),
    };
    const world = {
      network: network as Network,
      flusher: new Flusher((work) => void this.#soon.push(work)),
      now: () => 1000,
      watch: null,
      lonePlaces: this.lonePlaces,
    };
    this.pool = new Pool(
      this.upstream,
      { ...readProxyOptions([], {}), upstreamConnections },
      world,
      observer,
    );
  }

  #dial(onConnected: () => void, onRead: (chunk: Buffer) => void): DialledConnection {
    let onError = (_error: NodeJS.ErrnoException): void => {};
    const socket = {
      on: (event: string, listener: typeof onError) => {
        if (event === 'error') onError = listener;
      },
      write: (text: string) => {
        made.written += text;
      },
      ...{ setKeepAlive: () => {}, destroy: () => {} },
    };
    const made = {
      written: '',
      stand: onConnected,
      answer: (line: string) => onRead(Buffer.from(line)),
      fail: (code: string) => onError(Object.assign(new Error(code), { code })),
    };
    this.dialled.push(made);
    return socket as unknown as DialledConnection;
  }

  send(text: string, nowMs = 1000): Request {
    const request = requestOf(text);
    this.pool.send(request, nowMs);
    return request;
  }

  flush(): void {
    for (let work = this.#soon.shift(); work !== undefined; work = this.#soon.shift()) work();
  }
}

test('where no port is left for a second connection, the one that stands carries the request', () => {
  const scene = new Scene(2);
  scene.send('a');
  scene.dialled[0]?.stand();
  const request = scene.send('b');
  scene.dialled[1]?.fail('EADDRNOTAVAIL');
  scene.flush();
  assert.deepEqual(
    scene.dialled.map(({ written }) => written),
    ['ab', ''],
  );
  assert.deepEqual([request.placements, scene.upstream.tally.inFlight, scene.upstream.tally.sent], [1, 2, 2]);
  assert.deepEqual(scene.broken, [{ failure: 'local', requests: [] }]);
  scene.send('c', 1249);
  assert.equal(scene.dialled.length, 2, 'one more would fail as well');
  scene.send('d', 1250);
  assert.equal(scene.dialled.length, 3);
});

test('one that does not stand yet carries nothing that another was meant for', () => {
  const scene = new Scene(2);
  const requests = [scene.send('a'), scene.send('b')];
  for (const dialled of scene.dialled) dialled.fail('EMFILE');
  assert.deepEqual(
    scene.broken.map(({ requests }) => requests),
    requests.map((request) => [request]),
  );
  assert.deepEqual(
    requests.map(({ placements }) => placements),
    [0, 0],
  );
});

test('a connection that carries one request alone has a place until its end, however it ends', () => {
  const scene = new Scene(1);
  const alone = (text: string): Request => {
    const request = requestOf(text);
    request.trouble = new Trouble(1000);
    request.trouble.isAlone = true;
    scene.pool.send(request, 1000);
    return request;
  };
  const ends: ((dialled: Dialled) => void)[] = [
    ({ fail }) => fail('ECONNREFUSED'),
    ({ answer }) => answer('{"type":2,"destid":1}\n'),
    ({ answer }) => {
      scene.isTrusted = false;
      answer('{"type":2,"destid":1}\n');
    },
    () => scene.pool.destroy(),
  ];
  for (const end of ends) {
    alone('a');
    const dialled = scene.dialled.at(-1) as Dialled;
    dialled.stand();
    alone('b');
    scene.dialled.at(-1)?.stand();
    assert.equal(scene.lonePlaces.hasRoom('1'), false);
    end(dialled);
    scene.dialled.at(-1)?.fail('ECONNRESET');
    assert.equal(scene.lonePlaces.hasRoom('1'), true);
  }
  scene.send('c');
  assert.equal(scene.lonePlaces.hasRoom('1'), true);
});
