// pure · what is promised of the proxy, checked at every step of a simulated world and at its end.
// Must never ask the proxy whether it did right where the world can tell.

import { isInRotation } from '../../services/proxy/health/health.ts';
import type { ProxyOptions } from '../../services/proxy/options.ts';
import type { Route } from '../../services/proxy/routing/policy-table.ts';
import type { ProbeRecord, Upstream } from '../../services/proxy/servers/upstream.ts';
import type { ClusterEvent } from '../../services/proxy/status/events.ts';
import type { ClientLink, Expected, Reply, ReplyWatcher, SimulatedClient } from './client.ts';
import { GuiltWatch } from './guilt-watch.ts';
import { LossWatch, maxAttemptsOf } from './loss-watch.ts';
import type { SimulatedServer } from './server.ts';
import { exposuresOf, type Send, type Sent, Traffic } from './traffic.ts';
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
const LOOKS_AT_ALL_EACH = 16;
/** Unsent replies, held input, and what one read brings more. */
const MAX_BUFFERED_BYTES = 65_536 + 32_768;
/** What a server may have under way beside the requests that hang on it, and the longest request of these worlds. */
const MAX_BESIDE_REQUESTS = 256;
const MAX_REQUEST_BYTES = 1_200;
/** Requests of one connection that may be open, which are held as text. */
const MAX_OPEN_REQUESTS = 256;
/** Ports to one server that a proxy which closes first by chance may leave behind. */
const MAX_TIME_WAITS = 10;
/** How often it may have stood behind another one that broke the connection, or was silent. */
const MAX_MOVES = 7;
/** A poison that stood behind another request when it killed, or on a reused connection. */
const KILLS_FROM_BEHIND = 2;
const NEARLY_USED_UP_EACH = 64;
const MAX_COME_BACK = 256;
const SUSPECTED_LATELY_MS = 600;

type Streak = { last: ProbeRecord | null; failures: number; hadSession: boolean };

export class Watch implements ReplyWatcher {
  readonly promises = PROMISES;
  readonly #world: World;
  readonly #options: ProxyOptions;
  readonly #servers: readonly SimulatedServer[];
  readonly #streaks = new WeakMap<Upstream, Streak>();
  /** What each server of a policy had been sent when the present quiet stretch began. */
  readonly #stretches = new Map<string, Map<Upstream, number>>();
  readonly #traffic: Traffic;
  readonly #losses: LossWatch;
  readonly #guilt: GuiltWatch;
  readonly #timeWaits = new Map<string, number>();
  readonly #deaf = new Set<ClientLink>();
  readonly #replacedMs = new Map<string, number>();
  readonly #forgotten = new Set<string>();
  readonly #killed = new Map<string, number>();
  #looks = 0;
  #seenAgain = 0;

  constructor(world: World, options: ProxyOptions, servers: readonly SimulatedServer[]) {
    this.#world = world;
    this.#options = options;
    this.#servers = servers;
    this.#traffic = new Traffic(world, servers, {
      onSend: (payload, host, port) => this.#onSend(payload, host, port),
      onSent: (sent, send) => this.#onSent(sent, send),
      onTimeWait: (destination) => this.#onTimeWait(destination),
      onBroken: (policy) => this.#stretches.delete(policy),
    });
    this.#losses = new LossWatch(world, options, servers, this.#traffic);
    this.#guilt = new GuiltWatch(world, options, servers);
    world.sources.events.listen((event) => this.#onEvent(event));
    world.network.onDial = (endpoint, address, port) => {
      if (endpoint.host === world.proxy) this.#traffic.follow(endpoint, address, port);
    };
  }

  #onSend(payload: string, host: string, port: number): Upstream | undefined {
    const upstream = this.#world.sources.table.findByAddress(host, port);
    const state = upstream?.health.state ?? 'not in the table';
    this.#world.trace(() => `"${payload}" goes to ${host}:${port}, which is ${state}`);
    if (upstream !== undefined && state !== 'evicted' && state !== 'joining' && state !== 'forgotten')
      return upstream;
    // It was handed over in this very moment, before its server was replaced.
    if (this.#replacedMs.get(`${host}:${port}`) === this.#world.timeline.nowMs) return undefined;
    this.#violate(
      'nothing goes to whom was evicted',
      `"${payload}" went to ${host}:${port}, which is ${state}`,
    );
    return undefined;
  }

  #onSent(sent: Sent, send: Send): void {
    const { payload, policy, sends } = sent;
    const { upstream } = send;
    const { reached } = this.#world;
    if (sends.length > 1) this.#stretches.delete(policy);
    if (upstream.inFlight >= upstream.capacity) reached('limits', 'a full pipeline');
    const exposures = exposuresOf(sent);
    if (exposures.first > 1) reached('traffic', 'two servers have worked on it');
    const limit = maxAttemptsOf(this.#options);
    const isClear = !sends.some(({ isUnclear }) => isUnclear);
    if (
      (isClear && exposures.first > limit + exposures.reused) ||
      exposures.any > limit + MAX_MOVES + exposures.reused
    )
      this.#violate(
        'a request meets few servers',
        `"${payload}" met ${exposures.any}, and ${exposures.first} of them worked on it`,
      );
    // On a connection that never stood or had been idle, or behind another one, it has not been tried.
    const tried = sends.filter(({ wire, wasFirst, wasReused }) => wire.isConnected && wasFirst && !wasReused);
    const before = tried.filter((one) => one !== send && one.upstream === upstream).length;
    // After a lie, or an answer too many, what stood behind looks from here as if it had been first.
    if (before === 0 || !isClear) return;
    const { network, timeline, sources } = this.#world;
    const members = sources.table.route(policy)?.rotation.members ?? [];
    // Others may have been tried in vain.
    const mayDial = network.machine.lastFaultMs < timeline.nowMs - this.#options.requestTimeoutMs;
    const isBetter = (one: Upstream): boolean =>
      one.health.state === 'ready' &&
      !one.isFull &&
      one.pool?.isSilent(timeline.nowMs) !== true &&
      !sends.some((other) => other.upstream === one);
    if (before > 1 || (mayDial && members.some(isBetter)))
      this.#violate(
        'a retry goes to another server',
        `"${payload}" went to server ${String(upstream.id)} again`,
      );
  }

  #onTimeWait(destination: string): void {
    const count = (this.#timeWaits.get(destination) ?? 0) + 1;
    this.#timeWaits.set(destination, count);
    if (count > MAX_TIME_WAITS)
      this.#violate('few ports stay in TIME_WAIT', `${count} to ${destination}, after answers`);
  }

  /** A request has killed the process that has read it. */
  onPoison(payload: string): void {
    const count = (this.#killed.get(payload) ?? 0) + 1;
    this.#killed.set(payload, count);
    this.#world.reached('traits', 'a poison has killed');
    if (count > maxAttemptsOf(this.#options) + KILLS_FROM_BEHIND)
      this.#violate('a poison kills few servers', `"${payload}" has killed ${count}`);
  }

  /** A client that never reads has a connection. */
  onDeaf(link: ClientLink): void {
    this.#deaf.add(link);
  }

  #onEvent(event: ClusterEvent): void {
    const { table } = this.#world.sources;
    const { type, policy, id, why } = event;
    this.#world.trace(() => `server ${String(id)} of policy ${policy} at ${event.address}: ${type}, ${why}`);
    this.#stretches.delete(policy);
    const upstream = table.findById(policy, id);
    const isServing = upstream !== undefined && isInRotation(upstream.health.state);
    this.#losses.onEvent(event, isServing);
    this.#guilt.onEvent(event, upstream, this.#hasStalledSince(this.#world.timeline.nowMs));
    if (type === 'replaced') this.#replacedMs.set(event.address, this.#world.timeline.nowMs);
    if (type === 'forgotten') this.#forgotten.add(event.address);
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
    const { retries, moves, slippedAnswers, localFailures } = sources.counters;
    const again = retries + moves + slippedAnswers + localFailures;
    if (again !== this.#seenAgain) this.#stretches.clear();
    this.#seenAgain = again;
    this.#looks += 1;
    if (this.#looks % NEARLY_USED_UP_EACH === 0 && !this.#options.verifyAnswers)
      this.#lookAtRetries(timeline.nowMs);
    for (const route of sources.table.routes) this.#lookAt(route);
    if (this.#looks % LOOKS_AT_ALL_EACH === 0) this.#lookAtSizes();
  }

  #lookAtRetries(nowMs: number): void {
    for (const [policy, account] of this.#traffic.accounts) {
      if (account.isNearlyUsedUp(nowMs))
        this.#world.reached('limits', 'a retry budget that is nearly used up');
      if (account.isOverdrawn(nowMs))
        this.#violate('retries stay within their budget', `policy ${policy}: ${account.toText()}`);
    }
  }

  #lookAtSizes(): void {
    const { sources, proxy } = this.#world;
    for (const { policy, upstreams } of sources.table.routes) {
      if (new Set(upstreams.map(({ id }) => String(id))).size < upstreams.length)
        this.#violate('one entry a server', `policy ${policy} has an id twice`);
    }
    if (sources.table.size > this.#options.maxServers)
      this.#violate('limits', `${sources.table.size} servers are in the table`);
    if (sources.table.size >= this.#options.maxServers) this.#world.reached('limits', '--max-servers');
    const servers = new Set([...sources.table.upstreams].map(({ host }) => host));
    const { pipelineDepth, upstreamConnections } = this.#options;
    const underWayBytes = (pipelineDepth * upstreamConnections + MAX_BESIDE_REQUESTS) * MAX_REQUEST_BYTES;
    for (const endpoint of proxy.endpoints) {
      const limit = servers.has(endpoint.remoteAddress ?? '') ? underWayBytes : MAX_BUFFERED_BYTES;
      if (endpoint.writableLength > limit)
        this.#violate('limits', `${endpoint.writableLength} bytes wait for ${endpoint.remoteAddress}`);
    }
    for (const link of this.#deaf) this.#lookAtDeaf(link);
  }

  // What has been read of it and not replied to, and what was replied and not taken.
  #lookAtDeaf(link: ClientLink): void {
    const { peer } = link.endpoint;
    if (peer === null || peer.isDestroyed || peer.writableEnded) return;
    // Of those that are being closed, what comes is thrown away.
    if (this.#world.timeline.nowMs >= this.#world.stoppingSinceMs) return;
    if (peer.writableLength > 0) this.#world.reached('limits', 'replies that wait for a reader');
    const openBytes = link.bytesOf(link.replied, link.replied + MAX_OPEN_REQUESTS);
    const heldBytes = peer.bytesRead - link.bytesOf(0, link.replied) - openBytes;
    const bytes = Math.max(0, heldBytes) + peer.writableLength;
    if (bytes > MAX_BUFFERED_BYTES)
      this.#violate('a client that does not read costs little', `${bytes} bytes are held for it`);
  }

  #lookAt(route: Route): void {
    const { maxWaiting, upstreamConnections } = this.#options;
    const { reached } = this.#world;
    if (route.waiting.length >= maxWaiting) reached('limits', '--queue');
    // Whoever was handed over and found an accept queue full comes back into it.
    const mayComeBack = this.#world.network.droppedSyns > 0 ? MAX_COME_BACK : 0;
    if (route.waiting.length > maxWaiting + mayComeBack)
      this.#violate('limits', `${route.waiting.length} requests of policy ${route.policy} wait`);
    for (const upstream of route.upstreams) {
      this.#streakOf(upstream);
      reached('states', upstream.health.state);
      if (upstreamConnections > 1 && upstream.keepsAlive && upstream.inFlight > 1)
        reached('limits', 'more than one connection to a server');
      if (isInRotation(upstream.health.state) !== route.rotation.members.includes(upstream))
        this.#violate(
          'the rotation is who is ready',
          `server ${String(upstream.id)}: ${upstream.health.state}`,
        );
    }
    // What a connection loses that was reused, or had an answer too many, is sent again out of turn, at any moment.
    const isOrderly = ({ spec, behaviour }: SimulatedServer): boolean =>
      !spec.resetsReused && behaviour !== 'doubler' && behaviour !== 'misaddresser';
    if (this.#servers.every(isOrderly)) this.#lookAtTurns(route);
    else this.#stretches.delete(route.policy);
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

  onAsked(expected: Expected): void {
    this.#losses.onAsked(expected);
  }

  onReply(expected: Expected, reply: Reply, client: SimulatedClient): void {
    this.#losses.onReply(expected, reply, client);
  }

  #hasStalledSince(sinceMs: number): boolean {
    return this.#losses.hasStalledSince(sinceMs);
  }

  /** From `withinMs` on the server must get nothing, if nothing else happens to it. */
  mustBeOut(server: SimulatedServer, withinMs: number, what: string): void {
    const { timeline, sources, stoppingSinceMs } = this.#world;
    const { changes, address } = server;
    timeline.after(withinMs, () => {
      // Who has no descriptor or port left can't probe either.
      const isBlind = this.#world.network.machine.lastFaultMs >= timeline.nowMs - withinMs;
      const isMoot =
        server.changes !== changes || isBlind || this.#hasStalledSince(timeline.nowMs - withinMs);
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
    const { nowMs } = this.#world.timeline;
    let missing = 0;
    for (const { spec, name, address } of this.#servers) {
      const upstream = table.findById(spec.policy, spec.id);
      // It had to make room in a full table, and one without a session does not register again.
      if (upstream === undefined && !spec.hasSession && this.#forgotten.has(address)) missing += 1;
      else if (upstream?.address !== address)
        this.#violate('the table is who is there', `${name} at ${address} is listed at ${upstream?.address}`);
      // An outlier's penalty may last longer than this world, and a slow one may be looked at just now.
      else if (
        !isInRotation(upstream.health.state) &&
        upstream.health.state !== 'ejected' &&
        !(this.#world.hasSlowWork && nowMs - upstream.health.sinceMs < SUSPECTED_LATELY_MS)
      )
        this.#violate(
          'the table is who is there',
          `${name} is ${upstream.health.state}: ${upstream.health.why}`,
        );
    }
    if (table.size !== this.#servers.length - missing)
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
