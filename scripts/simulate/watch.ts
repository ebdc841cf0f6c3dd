// pure · what is promised of the proxy, checked at every step of a simulated world and at its end.
// Must never ask the proxy whether it did right where the world can tell.
import type { ClusterEvent } from '../../services/proxy/events.ts';
import { isInRotation } from '../../services/proxy/health.ts';
import type { ProxyOptions } from '../../services/proxy/options.ts';
import type { Route } from '../../services/proxy/policy-table.ts';
import type { ProbeRecord, Upstream } from '../../services/proxy/upstream.ts';
import { isHealthProbe } from '../../services/shared/health-probe.ts';
import type { Expected, Reply, ReplyWatcher, SimulatedClient } from './client.ts';
import type { Endpoint } from './endpoint.ts';
import { RetryAccount } from './retry-account.ts';
import type { SimulatedServer } from './server.ts';
import type { World } from './world.ts';

/** Within what times the proxy notices what has happened, milliseconds. */
const PROMISES = {
  /** The process of a server with a session has ended: the session's end tells. */
  crashMs: 250,
  /** It says nothing, or nothing right: two probes. */
  silentMs: 2750,
  /** Its session is silent: three heartbeats. */
  sessionMs: 4500,
};
/** After a stall it takes the proxy so long to be itself again. */
const AFTER_STALL_MS = 3000;
/** Sweeps, and the way there and back. */
const REPLY_GRACE_MS = 150;
const LOOKS_AT_ALL_EACH = 16;
const MAX_UNSENT_BYTES = 1_048_576;
const LOST = new Set(['NO_SERVER', 'UPSTREAM_FAILED', 'UPSTREAM_TIMEOUT']);

type Streak = { last: ProbeRecord | null; failures: number; hadSession: boolean };

export class Watch implements ReplyWatcher {
  readonly promises = PROMISES;
  readonly #world: World;
  readonly #options: ProxyOptions;
  readonly #servers: readonly SimulatedServer[];
  readonly #requestsOf = new WeakMap<Upstream, Set<string>>();
  readonly #streaks = new WeakMap<Upstream, Streak>();
  /** Since when a server is in rotation, by policy and id. */
  readonly #readySinceMs = new Map<string, number>();
  /** What each server of a policy had been sent when the present quiet stretch began. */
  readonly #stretches = new Map<string, Map<Upstream, number>>();
  readonly #retries: RetryAccount;
  #looks = 0;

  constructor(world: World, options: ProxyOptions, servers: readonly SimulatedServer[]) {
    this.#world = world;
    this.#options = options;
    this.#servers = servers;
    this.#retries = new RetryAccount(world.sources.counters);
    world.sources.events.listen((event) => this.#onEvent(event));
    world.network.onDial = (endpoint, address, port) => this.#onDial(endpoint, address, port);
  }

  #onDial(endpoint: Endpoint, host: string, port: number): void {
    if (endpoint.host !== this.#world.proxy) return;
    endpoint.onWrite = (text) => {
      for (const line of text.split('\n')) if (line !== '') this.#onSent(JSON.parse(line), host, port);
    };
  }

  #onSent({ srcid, payload }: { srcid: string | number; payload: string }, host: string, port: number): void {
    if (isHealthProbe({ clientId: srcid, payload })) return;
    const upstream = this.#world.sources.table.findByAddress(host, port);
    const state = upstream?.health.state ?? 'not in the table';
    this.#world.trace(() => `"${payload}" goes to ${host}:${port}, which is ${state}`);
    if (upstream === undefined || state === 'evicted' || state === 'joining' || state === 'forgotten') {
      this.#violate(
        'nothing goes to whom was evicted',
        `"${payload}" went to ${host}:${port}, which is ${state}`,
      );
      return;
    }
    const seen = this.#requestsOf.get(upstream) ?? new Set();
    this.#requestsOf.set(upstream, seen);
    if (seen.has(payload)) {
      this.#violate('no server is tried twice', `"${payload}" went to server ${String(upstream.id)} again`);
    }
    seen.add(payload);
  }

  #onEvent(event: ClusterEvent): void {
    const { table } = this.#world.sources;
    const { type, policy, id, why } = event;
    this.#world.trace(() => `server ${String(id)} of policy ${policy} at ${event.address}: ${type}, ${why}`);
    this.#stretches.delete(policy);
    const upstream = table.findById(policy, id);
    const isServing = upstream !== undefined && isInRotation(upstream.health.state);
    const key = `${policy}/${String(id)}`;
    if (!isServing) this.#readySinceMs.delete(key);
    else if (!this.#readySinceMs.has(key)) this.#readySinceMs.set(key, this.#world.timeline.nowMs);
    if (type !== 'evicted' || upstream === undefined) return;
    const route = table.route(policy);
    if (route?.rotation.nextIndex !== 0)
      this.#violate(
        'an eviction sets the turn to 0',
        `policy ${policy} goes on at ${route?.rotation.nextIndex}`,
      );
    const { failures } = this.#streakOf(upstream);
    if (why.includes('probes in a row failed') && failures < this.#options.fall)
      this.#violate('an opposite result resets a streak', `server ${String(id)} after ${failures}: ${why}`);
  }

  #streakOf(upstream: Upstream): Streak {
    const streak = this.#streaks.get(upstream) ?? { last: null, failures: 0, hadSession: false };
    this.#streaks.set(upstream, streak);
    // A session's end counts as the first failure.
    if (streak.hadSession && !upstream.hasSession) streak.failures += 1;
    streak.hadSession = upstream.hasSession;
    if (upstream.lastProbe === streak.last) return streak;
    streak.last = upstream.lastProbe;
    streak.failures = streak.last?.outcome === 'pass' ? 0 : streak.failures + 1;
    this.#world.trace(() => `a probe of server ${String(upstream.id)}: ${streak.last?.outcome}`);
    return streak;
  }

  /** Looks at everything once; called after each step. */
  look(): void {
    const { sources, timeline } = this.#world;
    if (this.#retries.update(timeline.nowMs)) this.#stretches.clear();
    if (this.#retries.isOverdrawn && !this.#options.verifyAnswers)
      this.#violate('retries stay within their budget', this.#retries.toText());
    for (const route of sources.table.routes) this.#lookAt(route);
    this.#looks += 1;
    if (this.#looks % LOOKS_AT_ALL_EACH === 0) this.#lookAtSizes();
  }

  #lookAtSizes(): void {
    const { sources, proxy } = this.#world;
    for (const { policy, upstreams } of sources.table.routes) {
      if (new Set(upstreams.map(({ id }) => String(id))).size < upstreams.length)
        this.#violate('one entry a server', `policy ${policy} has an id twice`);
    }
    if (sources.table.size > this.#options.maxServers)
      this.#violate('limits', `${sources.table.size} servers are in the table`);
    for (const endpoint of proxy.endpoints) {
      if (endpoint.writableLength > MAX_UNSENT_BYTES)
        this.#violate('limits', `${endpoint.writableLength} bytes wait for ${endpoint.remoteAddress}`);
    }
  }

  #lookAt(route: Route): void {
    const { maxWaiting } = this.#options;
    if (route.waiting.length > maxWaiting)
      this.#violate('limits', `${route.waiting.length} requests of policy ${route.policy} wait`);
    for (const upstream of route.upstreams) {
      this.#streakOf(upstream);
      if (isInRotation(upstream.health.state) !== route.rotation.members.includes(upstream))
        this.#violate(
          'the rotation is who is ready',
          `server ${String(upstream.id)}: ${upstream.health.state}`,
        );
    }
    this.#lookAtTurns(route);
  }

  #lookAtTurns({ policy, rotation, waiting }: Route): void {
    const { members } = rotation;
    const isFree = ({ inFlight, capacity, health }: Upstream): boolean =>
      inFlight * 2 < capacity && health.state === 'ready';
    const isQuiet = waiting.length === 0 && members.every(isFree);
    const before = this.#stretches.get(policy);
    if (!isQuiet || before === undefined || before.size !== members.length) {
      this.#stretches.set(policy, new Map(members.map((member) => [member, member.sent])));
      return;
    }
    let least = Number.POSITIVE_INFINITY;
    let most = 0;
    for (const member of members) {
      const sent = member.sent - (before.get(member) ?? 0);
      least = Math.min(least, sent);
      most = Math.max(most, sent);
    }
    if (most - least > 1)
      this.#violate('round robin', `policy ${policy}: from ${least} to ${most} requests each`);
  }

  onReply(expected: Expected, reply: Reply, client: SimulatedClient): void {
    const { timeline } = this.#world;
    if (expected.kind === 'any') return;
    const tookMs = timeline.nowMs - expected.sentMs;
    const isDisturbed = this.#hasStalledSince(expected.sentMs) || client.cutUntilMs >= expected.sentMs;
    const isLate = tookMs > this.#options.requestTimeoutMs + REPLY_GRACE_MS;
    if (isLate && !isDisturbed && client.spec.kind !== 'stall')
      this.#violate('a reply in time', `"${expected.payload}" took ${tookMs.toFixed(1)} ms`);
    if (expected.kind !== 'answer' || !LOST.has(reply.code ?? '') || isDisturbed) return;
    const { retry, pipelineDepth } = this.#options;
    const mayFail = retry !== 'always' || pipelineDepth < 64 || this.#retries.isNearlyUsedUp;
    const witness = mayFail ? undefined : this.#servers.find((server) => this.#couldHave(server, expected));
    if (witness !== undefined)
      this.#violate(
        'nothing is lost while a server is healthy',
        `${witness.name}, "${expected.payload}": ${reply.payload}`,
      );
  }

  // Healthy and in rotation from before the request came.
  #couldHave({ spec, healthySinceMs }: SimulatedServer, { policy, sentMs }: Expected): boolean {
    if (spec.policy !== policy || healthySinceMs > sentMs) return false;
    const readySinceMs = this.#readySinceMs.get(`${policy}/${spec.id}`);
    return readySinceMs !== undefined && readySinceMs <= sentMs;
  }

  #hasStalledSince(sinceMs: number): boolean {
    return this.#world.stalledUntilMs + AFTER_STALL_MS > sinceMs;
  }

  /** From `withinMs` on the server must get nothing, if nothing else happens to it. */
  mustBeOut(server: SimulatedServer, withinMs: number, what: string): void {
    const { timeline, sources, stoppingSinceMs } = this.#world;
    const { changes, address } = server;
    timeline.after(withinMs, () => {
      const isMoot = server.changes !== changes || this.#hasStalledSince(timeline.nowMs - withinMs);
      if (isMoot || timeline.nowMs >= stoppingSinceMs) return;
      const upstream = sources.table.findById(server.spec.policy, server.spec.id);
      if (upstream?.address === address && isInRotation(upstream.health.state))
        this.#violate(
          'what fails is noticed in time',
          `${server.name}, ${what} for ${withinMs} ms, is in rotation`,
        );
    });
  }

  /** The server has fallen silent: the proxy must let go of its session. */
  mustLoseSession(server: SimulatedServer): void {
    const { timeline } = this.#world;
    const { session, changes } = server;
    const ours = session?.peer ?? null;
    if (ours === null) return;
    timeline.after(PROMISES.sessionMs, () => {
      const isMoot =
        server.changes > changes + 1 || this.#hasStalledSince(timeline.nowMs - PROMISES.sessionMs);
      if (!isMoot && !ours.isDestroyed)
        this.#violate('a silent session ends', `that of ${server.name}, after ${PROMISES.sessionMs} ms`);
    });
  }

  /** After everything has healed: the table is the servers that are up, and nobody else. */
  checkTable(): void {
    const { table } = this.#world.sources;
    for (const { spec, name, address } of this.#servers) {
      const upstream = table.findById(spec.policy, spec.id);
      if (upstream?.address !== address)
        this.#violate('the table is who is there', `${name} at ${address} is listed at ${upstream?.address}`);
      // An outlier's penalty may last longer than this world.
      else if (!isInRotation(upstream.health.state) && upstream.health.state !== 'ejected')
        this.#violate(
          'the table is who is there',
          `${name} is ${upstream.health.state}: ${upstream.health.why}`,
        );
    }
    if (table.size !== this.#servers.length)
      this.#violate('the table is who is there', `it lists ${table.size} of ${this.#servers.length} servers`);
  }

  /** Everybody has been gone for long: nothing may be left of them. */
  checkEmpty(): void {
    const { table } = this.#world.sources;
    const routes = [...table.routes].length;
    if (table.size > 0 || routes > 0)
      this.#violate('nothing is left', `${table.size} servers and ${routes} policies are still in the table`);
  }

  /** The proxy has stopped: it holds no timer and no connection any more. */
  checkStopped(hasStopped: boolean): void {
    const { proxy } = this.#world;
    if (!hasStopped) this.#violate('a stop ends', 'it has not ended within its time');
    if (proxy.endpoints.size > 0)
      this.#violate('nothing is left', `${proxy.endpoints.size} open connections`);
    if (proxy.pendingTimers > 0) this.#violate('nothing is left', `${proxy.pendingTimers} timers`);
  }

  /** Nothing more will come: whatever is still due on a connection that stands was never replied to. */
  checkReplies(clients: readonly SimulatedClient[]): void {
    for (const { host, links } of clients) {
      for (const { due, hasVanished } of links) {
        if (!hasVanished && due.length > 0)
          this.#violate('exactly one reply', `${host.name} has none to "${due[0]?.payload}"`);
      }
    }
  }

  #violate(invariant: string, detail: string): void {
    this.#world.violate(invariant, detail);
  }
}
