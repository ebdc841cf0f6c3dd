import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import type { RequestPacket } from '../../shared/packet.ts';
import { newcomer, type State } from '../health/health.ts';
import type { FailureKind } from '../servers/failure.ts';
import { Upstream } from '../servers/upstream.ts';
import { Forwarder, type ForwarderLimits } from './forwarder.ts';
import { PolicyTable, type Route } from './policy-table.ts';
import type { ReplySink, Request } from './request.ts';

const ATTEMPT_TIMEOUT_MS = 500;
const LIMITS: ForwarderLimits = {
  retry: 'always',
  requestTimeoutMs: 2000,
  maxAttempts: 2,
  holdMs: 500,
  startupMs: 0,
  maxWaiting: 4,
};

// A policy with scripted servers: `sent` notes who got what, in order; nothing answers unless a test says so.
class Scene {
  nowMs = 1000;
  readonly table = new PolicyTable();
  readonly sent: string[] = [];
  readonly replies: string[] = [];
  readonly evidence: string[] = [];
  readonly culprits: unknown[] = [];
  readonly onServer = new Map<string, Request[]>();
  isForgotten = false;
  lonePlaces = Number.POSITIVE_INFINITY;
  /** Silent servers are not stuck. */
  arePassingProbes = false;
  /** How often a server was looked at: whether it is silent, or has room. */
  looks = 0;
  readonly client: ReplySink & { isClosed: boolean } = {
    isClosed: false,
    lines: [],
    expect: () => {},
    deliver: (request) => this.replies.push(`${request.clientId}:${codeOf(request.reply ?? '')}`),
    flush: () => {},
  };
  readonly forwarder: Forwarder;

  constructor(
    limits: Partial<ForwarderLimits> = {},
    verify: ((payload: string, answer: string) => boolean) | null = null,
  ) {
    const evidence = {
      onBroke: () => {},
      onFailure: ({ id }: Upstream, failure: FailureKind) => this.evidence.push(`${id} ${failure}`),
      onSilence: ({ id }: Upstream) => this.evidence.push(`${id} is silent`),
      onCulprit: ({ clientId }: Request) => this.culprits.push(clientId),
      onTrialPassed: ({ id }: Upstream) => this.evidence.push(`${id} trial passed`),
      onDrained: ({ id }: Upstream) => this.evidence.push(`${id} drained`),
    };
    const now = (): number => this.nowMs;
    this.forwarder = new Forwarder(this.table, { ...LIMITS, ...limits }, evidence, evidence, verify, now, {
      hasRoom: () =>
        this.lonePlaces > this.onServer.values().reduce((sum, list) => sum + countAlone(list), 0),
    });
  }

  server(
    id: string,
    { state = 'ready', capacity = 64 }: { state?: State; capacity?: number } = {},
  ): Upstream {
    const registration = {
      id,
      policy: '1',
      host: '10.0.0.1',
      port: this.table.size + 1,
      keepsAlive: true,
      incarnation: null,
    };
    const upstream = new Upstream(
      registration,
      capacity,
      this.table.takeOrder(),
      newcomer(this.nowMs, ''),
      0,
    );
    const waiting: Request[] = [];
    this.onServer.set(id, waiting);
    // One shared connection, unless a request wants one of its own: as the pool does it.
    const told = new Set<Request>();
    upstream.pool = {
      isStuck: (nowMs) => !this.arePassingProbes && upstream.pool?.isSilent(nowMs) === true,
      isSilent: (nowMs) => {
        this.looks += 1;
        return waiting[0] !== undefined && nowMs - waiting[0].attemptMs > ATTEMPT_TIMEOUT_MS;
      },
      send: (request, nowMs) => {
        request.attemptMs = nowMs;
        request.upstream = upstream;
        request.placements += 1;
        upstream.tally.inFlight += 1;
        if (upstream.tally.inFlight === 1) this.forwarder.onBusy(upstream);
        waiting.push(request);
        this.sent.push(`${request.clientId}→${id}${request.trouble?.isAlone === true ? ' alone' : ''}`);
      },
      sweep: (nowMs) => {
        const [first, ...behind] = waiting;
        if (first === undefined) return false;
        if (first.isDone || nowMs - first.attemptMs <= ATTEMPT_TIMEOUT_MS) return true;
        const isNews = !told.has(first);
        const { isForgotten } = this;
        this.forwarder.onSilence(upstream, { first, behind, isForgotten, isNews, sinceMs: 0 });
        told.add(first);
        return true;
      },
      retire: () => {},
      destroy: () => this.break(upstream, 'evicted'),
    };
    this.table.add(upstream);
    this.set(upstream, state);
    return upstream;
  }

  set(upstream: Upstream, state: State): void {
    upstream.health = { ...upstream.health, state };
    this.table.place(upstream, this.nowMs);
    if (state === 'leaving') this.forwarder.onLeaving(upstream);
    this.forwarder.routeChanged(this.route);
  }

  get route(): Route {
    return this.table.route('1') as Route;
  }

  ask(...clientIds: number[]): void {
    this.askOn(this.client, ...clientIds);
  }

  askOn(client: ReplySink, ...clientIds: number[]): void {
    for (const clientId of clientIds) {
      const packet: RequestPacket = { kind: 'request', clientId, policy: '1', payload: 'p' };
      this.forwarder.forward(client, packet, '{}\n', this.nowMs);
    }
  }

  answer(upstream: Upstream, answer = '"right"\n'): void {
    const request = this.onServer.get(String(upstream.id))?.shift() as Request;
    upstream.tally.inFlight -= 1;
    request.placements -= 1;
    this.forwarder.onAnswer(upstream, request, answer, this.nowMs);
    this.forwarder.onAnswersEnd(upstream);
  }

  break(upstream: Upstream, failure: FailureKind, wasConnected = true): void {
    const unanswered = this.onServer.get(String(upstream.id))?.splice(0) ?? [];
    upstream.tally.inFlight -= unanswered.length;
    for (const request of unanswered) request.placements -= 1;
    this.forwarder.onBroken(upstream, failure, unanswered, wasConnected);
  }

  sweepAt(nowMs: number): void {
    this.nowMs = nowMs;
    this.forwarder.sweep(nowMs);
  }
}

function codeOf(reply: string): string {
  const value = JSON.parse(reply);
  return typeof value === 'string' ? value : `${value.code}${value.sent ? ' sent' : ''}`;
}

function countAlone(requests: readonly Request[]): number {
  return requests.filter(({ trouble }) => trouble?.isAlone === true).length;
}

describe('the order of servers', () => {
  test('two servers alternate in the order of registration', () => {
    const scene = new Scene();
    scene.server('A');
    scene.server('B');
    scene.ask(1, 2, 3, 4, 5);
    assert.deepEqual(scene.sent, ['1→A', '2→B', '3→A', '4→B', '5→A']);
  });

  test('an eviction starts the round again at the first', () => {
    const scene = new Scene();
    const [, b] = [scene.server('A'), scene.server('B'), scene.server('C')];
    scene.ask(1, 2);
    scene.set(b as Upstream, 'evicted');
    scene.ask(3, 4, 5);
    assert.deepEqual(scene.sent, ['1→A', '2→B', '3→A', '4→C', '5→A']);
  });

  for (const maxAttempts of [1, 2, 3]) {
    test(`a request is tried on ${maxAttempts} servers at most, on each once, and named then`, () => {
      const scene = new Scene({ maxAttempts });
      const servers = ['A', 'B', 'C', 'D'].map((id) => scene.server(id));
      scene.ask(1);
      for (const server of servers) scene.break(server, 'reset');
      const tried = ['1→A', '1→B alone', '1→C alone'].slice(0, maxAttempts);
      assert.deepEqual(scene.sent, tried);
      assert.deepEqual(scene.evidence, ['A reset', 'B reset', 'C reset'].slice(0, maxAttempts));
      assert.deepEqual(scene.replies, ['1:UPSTREAM_FAILED sent']);
      assert.deepEqual(scene.culprits, [1]);
    });
  }

  test('what was on a server when that was evicted goes on alone, since it may have killed it', () => {
    const scene = new Scene({ maxAttempts: 2 });
    const [a, b] = [scene.server('A'), scene.server('B'), scene.server('C')];
    scene.ask(1);
    scene.break(a as Upstream, 'evicted');
    scene.break(b as Upstream, 'evicted');
    assert.deepEqual(scene.sent, ['1→A', '1→B alone']);
    assert.deepEqual(scene.replies, ['1:UPSTREAM_FAILED sent']);
  });

  test('what failed before anything was sent is no attempt', () => {
    const scene = new Scene();
    const [a, b, c, d] = [scene.server('A'), scene.server('B'), scene.server('C'), scene.server('D')];
    scene.ask(1);
    scene.break(a, 'refused', false);
    scene.break(b, 'connect-timeout', false);
    scene.break(c, 'local', false);
    scene.sweepAt(1020);
    scene.answer(d);
    assert.deepEqual(scene.sent, ['1→A', '1→B', '1→C', '1→D']);
    assert.deepEqual(scene.evidence, ['A refused', 'B connect-timeout']);
    assert.deepEqual(scene.replies, ['1:right']);
  });

  test('when the proxy itself has run out of something, that is said, and nobody is blamed', () => {
    const scene = new Scene();
    const [a, b] = [scene.server('A'), scene.server('B')];
    scene.ask(1);
    scene.break(a, 'local', false);
    scene.sweepAt(1020);
    scene.break(b, 'local', false);
    scene.sweepAt(1040);
    assert.deepEqual(scene.replies, ['1:OVERLOADED']);
    assert.deepEqual([scene.evidence, a.tally.failed, scene.forwarder.counters.localFailures], [[], 0, 2]);
  });

  test('nor is a server named that it has not reached, when its time is up or the proxy stops', () => {
    const scene = new Scene();
    const a = scene.server('A');
    scene.server('B', { capacity: 0 });
    scene.ask(1);
    scene.break(a, 'local', false);
    scene.nowMs += LIMITS.requestTimeoutMs;
    scene.forwarder.sweep(scene.nowMs);
    scene.ask(2);
    scene.break(a, 'local', false);
    scene.forwarder.refuseOpen();
    assert.deepEqual(scene.replies, ['1:OVERLOADED', '2:SHUTTING_DOWN']);
  });

  // The system tells of it before anything else runs: connections that are to be closed would keep their descriptors.
  test('for want of a descriptor there is one try at each sweep, and those that wait make none meanwhile', () => {
    const scene = new Scene();
    const [a, b] = [scene.server('A', { capacity: 1 }), scene.server('B', { capacity: 1 })];
    scene.ask(1, 2, 3);
    scene.break(a, 'local', false);
    scene.break(b, 'local', false);
    assert.deepEqual(scene.sent, ['1→A', '2→B']);
    scene.sweepAt(1020);
    assert.equal(scene.sent.length, 4);
  });

  // A connection that began before the stall would be late at once, and its server be blamed.
  test('what a sweep hands over after a stall is dated now; how long others have waited is judged as of before', () => {
    const scene = new Scene();
    const a = scene.server('A', { capacity: 2 });
    const b = scene.server('B', { capacity: 0 });
    scene.ask(1, 2);
    scene.break(a, 'local', false);
    a.capacity = 0;
    scene.ask(3);
    b.capacity = 3;
    scene.nowMs = 1900;
    scene.forwarder.sweep(1020);
    const dates = scene.onServer.get('B')?.map(({ clientId, attemptMs }) => [clientId, attemptMs]);
    assert.deepEqual(dates?.toSorted(), [
      [1, 1900],
      [2, 1900],
      [3, 1900],
    ]);
    scene.set(a, 'suspect');
    scene.set(b, 'suspect');
    scene.ask(4);
    scene.nowMs += 900;
    scene.forwarder.sweep(1920);
    assert.deepEqual(scene.replies, []);
  });

  test('a server that was not reached for want of a port is tried again after a while, and not before', () => {
    const scene = new Scene();
    const a = scene.server('A');
    scene.server('B', { state: 'suspect' });
    scene.ask(1);
    scene.break(a, 'local', false);
    scene.sweepAt(1240);
    assert.deepEqual(scene.sent, ['1→A']);
    scene.sweepAt(1260);
    scene.sweepAt(1280);
    assert.deepEqual(scene.sent, ['1→A', '1→A']);
    scene.answer(a);
    assert.deepEqual(scene.replies, ['1:right']);
  });

  test('so it is for what waits on a silent server', () => {
    const scene = new Scene();
    const [, b] = [scene.server('A'), scene.server('B')];
    scene.ask(1);
    scene.sweepAt(1501);
    scene.break(b, 'local', false);
    scene.sweepAt(2002);
    assert.deepEqual(scene.sent, ['1→A', '1→B alone', '1→B alone']);
    scene.answer(b);
    assert.deepEqual(scene.replies, ['1:right']);
  });

  test('a server that has broken under a request counts, also where another connection to it never stood', () => {
    const scene = new Scene();
    const [a, b, c] = [scene.server('A'), scene.server('B'), scene.server('C')];
    scene.ask(1);
    const request = scene.onServer.get('A')?.[0] as Request;
    request.placements += 1;
    a.tally.inFlight += 1;
    scene.break(a, 'connect-timeout', false);
    a.tally.inFlight -= 1;
    request.placements -= 1;
    scene.forwarder.onBroken(a, 'reset', [request], true);
    scene.break(b, 'reset');
    scene.break(c, 'reset');
    assert.deepEqual(scene.sent, ['1→A', '1→B alone']);
    assert.deepEqual(scene.replies, ['1:UPSTREAM_FAILED sent']);
  });

  test("a full accept queue is nobody's fault: the request waits, before all others, for any server", () => {
    const scene = new Scene();
    const a = scene.server('A', { capacity: 1 });
    scene.ask(1, 2, 3);
    a.capacity = 0;
    scene.break(a, 'congested', false);
    assert.deepEqual([scene.replies, scene.evidence], [[], []]);
    a.capacity = 1;
    scene.forwarder.onAnswersEnd(a);
    assert.deepEqual(scene.sent, ['1→A', '1→A']);
  });

  test('a used connection that breaks is no reason to ask a server again that has failed the request on another', () => {
    const scene = new Scene();
    const a = scene.server('A');
    scene.ask(1);
    const request = scene.onServer.get('A')?.[0] as Request;
    a.pool?.send(request, scene.nowMs);
    scene.onServer.get('A')?.pop();
    a.tally.inFlight -= 1;
    request.placements -= 1;
    scene.forwarder.onBroken(a, 'reset', [request], true);
    scene.break(a, 'stale');
    assert.deepEqual(scene.sent, ['1→A', '1→A']);
  });

  test('what a reused connection lost goes elsewhere free of charge, and to the same server if there is no other', () => {
    const scene = new Scene();
    const a = scene.server('A');
    scene.ask(1);
    scene.break(a, 'stale');
    assert.deepEqual(scene.sent, ['1→A', '1→A alone']);
    assert.deepEqual([scene.evidence, a.tally.failed, scene.forwarder.counters.retries], [[], 0, 0]);
    const b = scene.server('B');
    scene.answer(a);
    scene.ask(2);
    scene.break(a, 'stale');
    assert.deepEqual(scene.sent.slice(2), ['2→A', '2→B alone']);
    scene.break(b, 'reset');
    assert.deepEqual(scene.replies, ['1:right', '2:UPSTREAM_FAILED sent']);
  });

  test('a broken connection takes all that were on it to the next server, in their order', () => {
    const scene = new Scene();
    const [a, b] = [scene.server('A'), scene.server('B')];
    scene.ask(1, 2, 3, 4);
    scene.break(a, 'closed');
    assert.deepEqual(scene.sent, ['1→A', '2→B', '3→A', '4→B', '1→B alone', '3→B alone']);
    assert.equal(a.tally.failed, 1, 'the first alone was being worked on');
    for (let left = 4; left > 0; left -= 1) scene.answer(b);
    assert.deepEqual(scene.replies, ['2:right', '4:right', '1:right', '3:right']);
  });

  test('a full server is passed over; when all are full the oldest waits first', () => {
    const scene = new Scene();
    const [a, b] = [scene.server('A', { capacity: 1 }), scene.server('B', { capacity: 1 })];
    scene.ask(1, 2, 3, 4);
    scene.answer(b);
    scene.answer(a);
    assert.deepEqual(scene.sent, ['1→A', '2→B', '3→B', '4→A']);
  });

  test('a server on trial gets one request', () => {
    const scene = new Scene();
    scene.server('A');
    const b = scene.server('B', { state: 'trial' });
    scene.ask(1, 2, 3, 4);
    assert.deepEqual(scene.sent, ['1→A', '2→B', '3→A', '4→A']);
    scene.answer(b);
    assert.deepEqual(scene.evidence, ['B trial passed']);
  });
});

describe('the modes of retrying', () => {
  const cases: [ForwarderLimits['retry'], boolean, string][] = [
    ['never', false, 'UPSTREAM_FAILED'],
    ['never', true, 'UPSTREAM_FAILED sent'],
    ['connect', true, 'UPSTREAM_FAILED sent'],
    ['connect', false, '→B'],
    ['always', true, '→B'],
  ];
  for (const [retry, wasConnected, expected] of cases) {
    test(`${retry}, ${wasConnected ? 'sent' : 'nothing sent'}: ${expected}`, () => {
      const scene = new Scene({ retry });
      const a = scene.server('A');
      scene.server('B');
      scene.ask(1);
      scene.break(a, wasConnected ? 'reset' : 'refused', wasConnected);
      if (expected === '→B') assert.match(scene.sent.join(' '), /^1→A 1→B( alone)?$/);
      else assert.deepEqual(scene.replies, [`1:${expected}`]);
    });
  }

  test('the budget ends retries: 100 in a quiet policy, then failures are told', () => {
    const scene = new Scene();
    const a = scene.server('A', { capacity: 1000 });
    scene.server('B', { capacity: 1000 });
    for (let id = 1; id <= 150; id += 1) {
      scene.set(a, 'ready');
      scene.ask(id * 2, id * 2 + 1);
      scene.break(a, 'reset');
    }
    assert.equal(scene.forwarder.counters.retries, 100);
    assert.equal(scene.replies.filter((reply) => reply.endsWith('UPSTREAM_FAILED sent')).length, 50);
  });

  test('and a fifth of what was handed over lately, where that is more', () => {
    const scene = new Scene();
    scene.server('B', { capacity: 2000 });
    scene.ask(...Array.from({ length: 1000 }, (_, id) => 1000 + id));
    const a = scene.server('A', { capacity: 1000 });
    for (let id = 1; id <= 150; id += 1) {
      scene.set(a, 'ready');
      scene.ask(id * 2, id * 2 + 1);
      scene.break(a, 'reset');
    }
    assert.deepEqual([scene.forwarder.counters.retries, scene.replies], [150, []]);
  });

  test('a move that only our own lack of ports has kept from its server is none', () => {
    const scene = new Scene({ requestTimeoutMs: 20_000 });
    const a = scene.server('A');
    scene.ask(1, 2);
    const b = scene.server('B');
    for (let lack = 1; lack <= 10; lack += 1) {
      scene.sweepAt(scene.nowMs + 501);
      assert.deepEqual(scene.sent.slice(-2).toSorted(), ['1→B alone', '2→B']);
      scene.break(b, 'local', false);
    }
    assert.equal(scene.forwarder.counters.moves, 0);
    scene.sweepAt(scene.nowMs + 501);
    while (scene.replies.length < 2) scene.answer(b);
    assert.deepEqual([scene.forwarder.counters.moves, scene.replies.toSorted()], [1, ['1:right', '2:right']]);
    assert.equal(a.tally.inFlight, 2);
  });

  test('a retry that only our own lack of ports has kept from its server costs nothing', () => {
    const scene = new Scene({ requestTimeoutMs: 200_000 });
    const a = scene.server('A', { capacity: 1000 });
    const b = scene.server('B', { capacity: 1000 });
    scene.ask(1);
    for (let id = 2; id <= 201; id += 1) {
      scene.sweepAt(scene.nowMs + 501);
      assert.equal(scene.sent.at(-1), '1→B alone');
      scene.break(b, 'local', false);
    }
    assert.equal(scene.forwarder.counters.retries, 0);
    assert.equal(scene.route.budgetLeft(scene.nowMs), 1);
    scene.sweepAt(scene.nowMs + 501);
    scene.answer(b);
    assert.deepEqual([scene.forwarder.counters.retries, scene.replies], [1, ['1:right']]);
    scene.answer(a);
    scene.ask(2);
    scene.break(a, 'reset');
    scene.break(b, 'local', false);
    assert.equal(scene.forwarder.counters.retries, 1);
    scene.sweepAt(scene.nowMs + 501);
    scene.answer(b);
    assert.deepEqual([scene.forwarder.counters.retries, scene.replies.length], [2, 2]);
  });

  test('a retry that nobody can take costs nothing', () => {
    const scene = new Scene();
    const a = scene.server('A', { capacity: 1000 });
    for (let id = 1; id <= 150; id += 1) {
      scene.ask(id);
      scene.break(a, 'reset');
    }
    assert.equal(scene.forwarder.counters.retries, 0);
    scene.server('B');
    scene.ask(999);
    scene.ask(1000);
    scene.break(a, 'reset');
    assert.ok(scene.sent.includes('1000→B alone') || scene.sent.includes('999→B alone'), scene.sent.at(-1));
  });
});

describe('waiting', () => {
  let scene = new Scene();
  beforeEach(() => {
    scene = new Scene();
  });

  test('an unknown policy is told so at once', () => {
    scene.ask(1);
    assert.deepEqual(scene.replies, ['1:NO_SERVER']);
  });

  for (const state of ['joining', 'suspect'] as const) {
    test(`a policy whose only server is ${state} holds its requests until that is decided`, () => {
      const a = scene.server('A', { state });
      scene.ask(1, 2);
      assert.deepEqual([scene.sent, scene.replies], [[], []]);
      scene.set(a, 'ready');
      assert.deepEqual(scene.sent, ['1→A', '2→A']);
    });

    test(`for 500 ms at most (${state})`, () => {
      scene.server('A', { state });
      scene.ask(1);
      scene.sweepAt(1499);
      assert.deepEqual(scene.replies, []);
      scene.sweepAt(1500);
      assert.deepEqual(scene.replies, ['1:NO_SERVER']);
    });
  }

  test('a policy that has long been empty is told at once, one that has just become so waits for the next server', () => {
    const a = scene.server('A');
    scene.nowMs = 5000;
    scene.set(a, 'evicted');
    scene.ask(1);
    assert.deepEqual(scene.replies, []);
    scene.server('B');
    assert.deepEqual(scene.sent, ['1→B']);
    scene.set(scene.route.upstreams.find(({ id }) => id === 'B') as Upstream, 'evicted');
    scene.nowMs = 9000;
    scene.ask(2);
    assert.deepEqual(scene.replies, ['2:NO_SERVER']);
  });

  test('what was on the last server when that died waits no longer than what came then', () => {
    const a = scene.server('A');
    scene.ask(1);
    scene.nowMs = 1300;
    scene.set(a, 'evicted');
    scene.break(a, 'closed');
    scene.ask(2);
    scene.sweepAt(1499);
    assert.deepEqual(scene.replies, []);
    scene.sweepAt(1500);
    assert.deepEqual(scene.replies, ['1:UPSTREAM_FAILED sent']);
    scene.sweepAt(1799);
    assert.equal(scene.replies.length, 1);
    scene.sweepAt(1800);
    assert.deepEqual(scene.replies, ['1:UPSTREAM_FAILED sent', '2:NO_SERVER']);
  });

  test('after its last server has left on purpose, requests wait for the next one almost to their deadline', () => {
    const a = scene.server('A');
    scene.set(a, 'leaving');
    scene.ask(1, 2);
    scene.sweepAt(2890);
    assert.deepEqual(scene.replies, []);
    scene.sweepAt(2900);
    assert.deepEqual(scene.replies, ['1:NO_SERVER', '2:NO_SERVER']);
    scene.ask(3);
    scene.server('B');
    assert.deepEqual(scene.sent, ['3→B']);
  });

  test('after the start a policy without a server is waited for, and only then', () => {
    scene = new Scene({ startupMs: 1000 });
    scene.ask(1);
    assert.deepEqual(scene.replies, []);
    scene.server('A');
    assert.deepEqual(scene.sent, ['1→A']);
    scene = new Scene({ startupMs: 1000 });
    scene.nowMs += 1000;
    scene.ask(2);
    assert.deepEqual(scene.replies, ['2:NO_SERVER']);
  });

  test('the queue of a policy is bounded', () => {
    scene.server('A', { capacity: 1 });
    scene.ask(1, 2, 3, 4, 5, 6);
    assert.deepEqual(scene.replies, ['6:OVERLOADED']);
  });

  test('of a full one the connection that has the most places loses one, and others are served in between', () => {
    const a = scene.server('A', { capacity: 1 });
    scene.ask(1, 2, 3, 4, 5);
    scene.askOn({ ...scene.client, lines: [] }, 6);
    assert.deepEqual(scene.replies, ['5:OVERLOADED']);
    for (let answered = 0; answered < 5; answered += 1) scene.answer(a);
    assert.deepEqual(scene.sent, ['1→A', '2→A', '6→A', '3→A', '4→A']);
  });

  test('a connection that has gone loses its places first, and nobody hears of it', () => {
    scene.server('A', { capacity: 1 });
    scene.ask(1, 2, 3, 4, 5);
    scene.client.isClosed = true;
    scene.askOn({ ...scene.client, isClosed: false, lines: [] }, 6);
    assert.deepEqual(scene.replies, []);
    assert.deepEqual(scene.forwarder.counters.errors, {});
  });

  test('clients that have gone, and those whose time is up, keep no place in it', () => {
    scene.server('A', { capacity: 1 });
    scene.ask(1, 2, 3, 4, 5);
    scene.client.isClosed = true;
    scene.sweepAt(1001);
    scene.client.isClosed = false;
    scene.ask(6, 7, 8, 9);
    assert.equal(scene.replies.length, 0);
    scene.sweepAt(3001);
    assert.equal(scene.replies.filter((reply) => reply.includes('UPSTREAM_TIMEOUT')).length, 5);
    scene.nowMs = 3001;
    scene.ask(11, 12, 13, 14);
    assert.deepEqual(
      scene.replies.filter((reply) => reply.includes('OVERLOADED')),
      [],
    );
  });

  test('one more that has to wait has nobody else looked at', () => {
    const waiting = 2_000;
    scene = new Scene({ maxWaiting: waiting });
    scene.set(scene.server('A'), 'suspect');
    let picks = 0;
    const { rotation } = scene.route;
    const pick = rotation.pick.bind(rotation);
    rotation.pick = (excluded) => {
      picks += 1;
      return pick(excluded);
    };
    scene.ask(...Array.from({ length: waiting }, (_, i) => i));
    assert.deepEqual(scene.replies, []);
    assert.ok(picks <= 2 * waiting, String(picks));
  });

  test('nobody waits for a client that has gone', () => {
    const a = scene.server('A', { capacity: 1 });
    scene.ask(1, 2);
    scene.client.isClosed = true;
    scene.answer(a);
    assert.deepEqual(scene.sent, ['1→A']);
  });
});

test('where a server has more room than before, a newcomer does not pass those that wait', () => {
  const scene = new Scene();
  const a = scene.server('A', { capacity: 1 });
  scene.ask(1, 2);
  a.capacity = 2;
  scene.ask(3);
  assert.deepEqual(scene.sent, ['1→A', '2→A']);
});

describe('requests that go on alone', () => {
  test('wait for a place where there is none, and hold up no others', () => {
    const scene = new Scene();
    const [a, b] = [scene.server('A'), scene.server('B')];
    scene.lonePlaces = 1;
    scene.ask(1, 2, 3, 4, 5, 6);
    scene.break(a, 'reset');
    scene.set(a, 'suspect');
    scene.ask(7);
    assert.deepEqual(scene.sent.slice(6), ['1→B alone', '7→B']);
    scene.sweepAt(1020);
    assert.equal(scene.sent.length, 8);
    for (const alone of ['3→B alone', '5→B alone']) {
      while (scene.onServer.get('B')?.some(({ trouble }) => trouble?.isAlone)) scene.answer(b);
      scene.sweepAt(scene.nowMs + 20);
      assert.equal(scene.sent.at(-1), alone);
    }
    scene.answer(b);
    assert.equal(scene.replies.filter((reply) => reply.endsWith(':right')).length, 7);
  });

  test('wait for it where all servers are full, too', () => {
    const scene = new Scene();
    const [a, b] = [scene.server('A', { capacity: 2 }), scene.server('B', { capacity: 1 })];
    scene.ask(1, 2, 3);
    scene.lonePlaces = 1;
    for (const server of [a, b]) scene.set(server, 'suspect');
    scene.break(a, 'reset');
    b.capacity = 2;
    scene.set(b, 'ready');
    assert.deepEqual(scene.sent.slice(3), ['1→B alone']);
    b.capacity = 3;
    scene.sweepAt(1020);
    assert.equal(scene.sent.length, 4);
    for (let answers = 1; answers <= 2; answers += 1) scene.answer(b);
    assert.deepEqual(scene.sent.slice(4), ['3→B alone']);
  });

  test('are not asked for once more before there is one', () => {
    const scene = new Scene();
    scene.server('A');
    scene.server('B');
    scene.lonePlaces = 0;
    scene.ask(1);
    scene.sweepAt(1501);
    assert.deepEqual(scene.sent, ['1→A']);
    scene.lonePlaces = 1;
    scene.sweepAt(1521);
    assert.deepEqual(scene.sent, ['1→A', '1→B alone']);
  });
});

describe('deadlines', () => {
  test('a silent request stays, and is asked for once more elsewhere, alone; the first answer counts', () => {
    const scene = new Scene();
    const [a, b] = [scene.server('A'), scene.server('B')];
    scene.ask(1);
    scene.sweepAt(1500);
    assert.deepEqual(scene.sent, ['1→A']);
    scene.sweepAt(1501);
    scene.sweepAt(1521);
    assert.deepEqual(scene.sent, ['1→A', '1→B alone']);
    assert.deepEqual(scene.evidence, ['A is silent']);
    assert.equal(scene.forwarder.counters.retries, 1);
    scene.answer(a);
    scene.answer(b);
    assert.deepEqual(scene.replies, ['1:right']);
    assert.equal(scene.forwarder.counters.lateAnswers, 1);
    assert.deepEqual([a.tally.failed, b.tally.failed], [0, 0]);
  });

  test('a silent request that has met as many servers as it may is asked for nowhere else', () => {
    const scene = new Scene();
    const [a] = [scene.server('A'), scene.server('B'), scene.server('C')];
    scene.ask(1);
    scene.break(a, 'reset');
    scene.sweepAt(1501);
    assert.deepEqual(scene.sent, ['1→A', '1→B alone']);
    assert.deepEqual(scene.evidence, ['A reset', 'B is silent']);
  });

  test('what was silent before a trial does not fail it, what is silent during it does', () => {
    const scene = new Scene();
    const a = scene.server('A');
    scene.ask(1);
    const [first] = scene.onServer.get('A') as [Request];
    a.health = { ...a.health, state: 'trial', sinceMs: 2000 };
    scene.forwarder.onGivenUp(a, first, 1999);
    assert.deepEqual(scene.evidence, []);
    scene.forwarder.onGivenUp(a, first, 2000);
    assert.deepEqual(scene.evidence, ['A silent']);
  });

  for (const failure of ['connect-timeout', 'congested'] as const) {
    test(`a second attempt whose connection never stood is made elsewhere: ${failure}`, () => {
      const scene = new Scene();
      const [, b, c] = [scene.server('A'), scene.server('B'), scene.server('C')];
      scene.ask(1);
      scene.sweepAt(1501);
      scene.break(b, failure, false);
      scene.sweepAt(2002);
      assert.deepEqual(scene.sent, ['1→A', '1→B alone', '1→C alone']);
      scene.answer(c);
      assert.deepEqual(scene.replies, ['1:right']);
    });
  }

  test('those behind a silent request go elsewhere too, and pay nothing', () => {
    const scene = new Scene();
    const [a, b] = [scene.server('A'), scene.server('B')];
    scene.ask(1, 2, 3, 4, 5);
    scene.answer(b);
    scene.answer(b);
    scene.sweepAt(1501);
    assert.deepEqual(scene.sent.slice(5), ['3→B', '5→B', '1→B alone']);
    scene.answer(b);
    scene.answer(b);
    assert.deepEqual(scene.replies, ['2:right', '4:right', '3:right', '5:right']);
    const { retries, moves } = scene.forwarder.counters;
    assert.deepEqual([retries, moves], [1, 2]);
    for (const _late of [1, 2, 3]) scene.answer(a);
    assert.deepEqual(scene.replies.slice(4), ['1:right']);
  });

  test('what has broken as many servers as it may, and stands behind a silent request as well, goes to no further one', () => {
    const scene = new Scene();
    const [a, ...others] = ['A', 'B', 'C', 'D', 'E'].map((id) => scene.server(id)) as [
      Upstream,
      ...Upstream[],
    ];
    scene.ask(1, 2, 3, 4, 5, 6);
    for (const other of others) scene.answer(other);
    const broken: unknown[] = [];
    for (const sweptMs of [1501, 2003]) {
      scene.sweepAt(sweptMs);
      const on = others.find(({ id }) => scene.onServer.get(String(id))?.[0]?.clientId === 6) as Upstream;
      broken.push(on.id);
      scene.break(on, 'reset');
      scene.set(on, 'evicted');
    }
    assert.equal(new Set(broken).size, 2);
    const { length } = scene.sent;
    scene.break(a, 'closed');
    assert.deepEqual(
      scene.sent.slice(length).filter((sent) => sent.startsWith('6')),
      [],
    );
    assert.ok(scene.replies.includes('6:UPSTREAM_FAILED sent'), scene.replies.join(' '));
  });

  test('a second connection to the only server is tried once, also where the first request waits on', () => {
    const scene = new Scene({ maxAttempts: 3 });
    scene.isForgotten = true;
    const a = scene.server('A');
    scene.ask(1, 2);
    scene.sweepAt(1501);
    assert.deepEqual(scene.sent.splice(0), ['1→A', '2→A', '2→A', '1→A alone']);
    for (const again of scene.onServer.get('A')?.splice(2) ?? []) {
      a.tally.inFlight -= 1;
      again.placements -= 1;
      scene.forwarder.onBroken(a, 'closed', [again], true);
    }
    scene.sweepAt(2002);
    assert.deepEqual(scene.sent, []);
    scene.answer(a);
    scene.answer(a);
    assert.deepEqual(scene.replies, ['1:right', '2:right']);
  });

  test('one on trial gets one request at a time that way, too', () => {
    const scene = new Scene();
    const a = scene.server('A');
    scene.ask(1, 2, 3, 4);
    scene.isForgotten = true;
    a.tally.hanging = 4;
    scene.set(a, 'trial');
    scene.sweepAt(1501);
    assert.deepEqual(scene.sent.slice(4), ['2→A']);
  });

  test('nobody is moved to a server that is silent itself', () => {
    const scene = new Scene();
    scene.server('A');
    scene.server('B');
    scene.ask(1, 2, 3, 4);
    scene.sweepAt(1501);
    assert.equal(scene.sent.length, 4);
  });

  for (const arePassingProbes of [false, true]) {
    test(`a sweep looks at each of many silent servers a few times, whether probes pass or not: ${arePassingProbes}`, () => {
      const [servers, requests] = [100, 400];
      const scene = new Scene({ requestTimeoutMs: 60_000 });
      scene.arePassingProbes = arePassingProbes;
      for (let id = 1; id <= servers; id += 1) {
        Object.defineProperty(scene.server(`S${id}`), 'isFull', {
          get: () => {
            scene.looks += 1;
            return false;
          },
        });
      }
      scene.ask(...Array.from({ length: requests }, (_, id) => id));
      for (let sweep = 1; sweep <= 5; sweep += 1) {
        scene.looks = 0;
        scene.sweepAt(1000 + sweep * 501);
        assert.ok(scene.looks < 10 * (servers + requests), `${scene.looks} looks in sweep ${sweep}`);
      }
    });
  }

  test('one that somebody else has replaced gets nothing new, even where nobody else is there', () => {
    const scene = new Scene();
    const a = scene.server('A');
    scene.ask(1);
    a.isRetired = true;
    scene.ask(2);
    assert.deepEqual(scene.sent, ['1→A']);
  });

  test('where half of the answers take that long, slowness is no reason to ask elsewhere', () => {
    const scene = new Scene();
    const [a] = [scene.server('A'), scene.server('B')];
    scene.ask(1);
    a.answers = 10;
    a.slowAnswers = 5;
    scene.sweepAt(1501);
    assert.deepEqual(scene.sent, ['1→A']);
  });

  test('a broken connection of one that is on its way elsewhere is not repeated', () => {
    const scene = new Scene();
    const [a, b] = [scene.server('A'), scene.server('B')];
    scene.ask(1);
    scene.sweepAt(1501);
    scene.break(b, 'reset');
    assert.deepEqual([scene.sent.length, scene.replies], [2, []]);
    scene.answer(a);
    assert.deepEqual(scene.replies, ['1:right']);
  });

  test('with nobody else ready it waits on, to its deadline, and its late answer reaches nobody', () => {
    const scene = new Scene();
    const a = scene.server('A');
    scene.ask(1, 2);
    scene.sweepAt(2999);
    assert.deepEqual([scene.sent, scene.replies], [['1→A', '2→A'], []]);
    scene.nowMs = 2999;
    scene.ask(3);
    scene.sweepAt(3000);
    assert.deepEqual(scene.replies, ['1:UPSTREAM_TIMEOUT sent', '2:UPSTREAM_TIMEOUT sent']);
    for (const _late of [1, 2, 3]) scene.answer(a);
    assert.deepEqual(scene.replies.slice(2), ['3:right']);
    assert.equal(scene.forwarder.counters.lateAnswers, 2);
  });

  test('a leaving server is drained when its last request has been answered', () => {
    const scene = new Scene();
    const a = scene.server('A');
    scene.server('B');
    scene.ask(1);
    scene.set(a, 'leaving');
    scene.ask(2, 3);
    scene.sweepAt(1100);
    assert.deepEqual(scene.evidence, []);
    scene.answer(a);
    scene.sweepAt(1120);
    assert.deepEqual(scene.sent, ['1→A', '2→B', '3→B']);
    assert.deepEqual(scene.evidence, ['A drained']);
  });
});

test('with verification a wrong answer is a failed attempt and never reaches the client', () => {
  const scene = new Scene({}, (_payload, answer) => answer === '"right"\n');
  const [a, b] = [scene.server('A'), scene.server('B')];
  scene.ask(1);
  scene.answer(a, '"wrong"\n');
  scene.answer(b);
  assert.deepEqual(scene.sent, ['1→A', '1→B']);
  assert.deepEqual(scene.replies, ['1:right']);
  assert.deepEqual(scene.evidence, ['A wrong-digest']);
});

test('what stood behind a wrong answer on its connection goes elsewhere, and is no evidence', () => {
  const scene = new Scene({}, (_payload, answer) => answer === '"right"\n');
  const [a, b] = [scene.server('A'), scene.server('B')];
  scene.ask(1, 2, 3, 4, 5);
  scene.answer(a, '"wrong"\n');
  scene.break(a, 'distrusted');
  for (let left = 5; left > 0; left -= 1) scene.answer(b);
  assert.deepEqual(scene.replies, ['2:right', '4:right', '1:right', '3:right', '5:right']);
  assert.deepEqual(scene.evidence, ['A wrong-digest']);
  assert.equal(a.tally.failed, 1);
});

test('and does not use up the budget of retries', () => {
  const scene = new Scene();
  const a = scene.server('A', { capacity: 1000 });
  scene.server('B', { capacity: 1000 });
  scene.ask(...Array.from({ length: 300 }, (_, i) => i));
  scene.break(a, 'distrusted');
  assert.deepEqual([scene.replies.length, scene.sent.length], [0, 450]);
});

describe('a server that is out of the rotation gets nothing', () => {
  const order = { by: '', reason: '', sinceWallMs: 0 };
  const outs: [string, (scene: Scene, server: Upstream) => void][] = [
    ['ejected', (scene, server) => scene.set(server, 'ejected')],
    ['leaving', (scene, server) => scene.set(server, 'leaving')],
    ['drained by order', (scene, server) => scene.table.setDrain(server, order, scene.nowMs)],
  ];
  const outOfReach: (typeof outs)[number] = [
    'taken out in another thread',
    (_scene, { tally }) => Object.assign(tally, { isOut: true }),
  ];
  for (const [name, takeOut] of [...outs, outOfReach]) {
    test(`${name}: not what an idle connection to it has lost, with its attempts used up`, () => {
      const scene = new Scene();
      const [a, b] = [scene.server('A'), scene.server('B')];
      scene.ask(1);
      scene.break(a, 'reset');
      takeOut(scene, b);
      scene.break(b, 'stale');
      assert.deepEqual(scene.sent, ['1→A', '1→B alone']);
      assert.deepEqual(scene.replies, ['1:UPSTREAM_FAILED sent']);
    });
  }
  for (const [name, takeOut] of outs) {
    test(`${name}: not what is silent on a connection to it that may have been forgotten`, () => {
      const scene = new Scene();
      const a = scene.server('A');
      scene.ask(1, 2);
      takeOut(scene, a);
      const [first, ...behind] = scene.onServer.get('A') as [Request, ...Request[]];
      scene.forwarder.onSilence(a, { first, behind, isForgotten: true, isNews: true, sinceMs: 0 });
      assert.deepEqual(scene.sent, ['1→A', '2→A']);
    });
  }
});

test('a draining proxy refuses what is new and finishes what is in flight', () => {
  const scene = new Scene();
  const a = scene.server('A');
  scene.ask(1);
  scene.forwarder.drain();
  scene.ask(2);
  assert.equal(scene.forwarder.openRequests, 1);
  scene.answer(a);
  assert.equal(scene.forwarder.openRequests, 0);
  assert.deepEqual(scene.replies, ['2:SHUTTING_DOWN', '1:right']);
});
