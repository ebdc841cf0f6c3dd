// pure · what is promised of each proxy, checked at every step of a simulated world and at its end: never by asking the
// proxy whether it did right where the world can show it.
import { isInRotation, type State } from '../../services/proxy/health/health.ts';
import type { PolicyTable, Route } from '../../services/proxy/routing/policy-table.ts';
import type { Request } from '../../services/proxy/routing/request.ts';
import type { ProbeRecord, Upstream } from '../../services/proxy/servers/upstream.ts';
import type { ClusterEvent, EventType } from '../../services/proxy/status/events.ts';
import type { ClientConnection } from './client.ts';
import type { SimulatedProxy } from './proxy.ts';
import { ReplyPromises } from './replies.ts';
import type { SimulatedServer } from './server.ts';
import { SharePromises } from './shares.ts';
import { type Thread, WorkerThread } from './threads.ts';
import { Traffic } from './traffic.ts';
import type { World } from './world.ts';

/** Within what times the proxy notices what has happened, milliseconds. */
export const WITHIN = {
  /** The process of a server with a session has ended, and the session with it. */
  crashMs: 250,
  /** It sends nothing, or nothing right: two probes. */
  silentMs: 2750,
  /** Its session is silent: three heartbeats. */
  sessionMs: 4500,
  /** A proxy has started: servers look for proxies each second. */
  foundMs: 2000,
};
const CHECK_SIZES_EACH = 16;
const CHECK_RETRIES_EACH = 64;
const REFRESH_EACH = 256;
/** Unsent replies, held input, and what one read brings more. */
const MAX_BUFFERED_BYTES = 65_536 + 32_768;
/** What a server may have under way beside the requests that are assigned to it, and the longest request of these worlds. */
const MAX_BESIDE_REQUESTS = 256;
const MAX_REQUEST_BYTES = 1_200;
/** Requests of one connection that may be open, which are held as text. */
const MAX_OPEN_REQUESTS = 256;
const MAX_COME_BACK = 256;
const SUSPECTED_LATELY_MS = 600;
const SUSPECTS_WITHIN_MS = 10_000;
/** Three at once, and then each after a longer while; a silent one once a second. */
const MAX_SUSPECTS = 18;
const LOCAL_FAULT_LATELY_MS = 300;
const SESSION_ENDED = 'session ended';
const OF_SILENCE = /silent|timeout|missed|not answered/;

type Streak = { last: ProbeRecord | null; failures: number; hadSession: boolean };

export class Promises {
  readonly traffic: Traffic;
  readonly replies: ReplyPromises;
  readonly shares: SharePromises;
  readonly #world: World;
  readonly #proxy: SimulatedProxy;
  /** Of this start of the proxy. */
  readonly #sources: SimulatedProxy['sources'];
  readonly #streaks = new WeakMap<Upstream, Streak>();
  /** What each server of a policy had been sent when requests last could not go out of turn. */
  readonly #orderly = new Map<string, Map<Upstream, number>>();
  readonly #lastEvent = new Map<string, EventType>();
  readonly #suspectedMs = new Map<string, number[]>();
  readonly #forgotten = new Set<string>();
  /** When the worker crashed that had the session of the server at an address. */
  readonly #lostSessions = new Map<string, number>();
  #checks = 0;
  #seenAgain = 0;

  constructor(world: World, proxy: SimulatedProxy) {
    this.#world = world;
    this.#proxy = proxy;
    this.#sources = proxy.sources;
    this.traffic = new Traffic(world, proxy, (policy) => this.#orderly.delete(policy));
    this.replies = new ReplyPromises(world, proxy, this.traffic);
    this.shares = new SharePromises(world, proxy);
    this.#sources.events.listen((event) => this.#onEvent(event));
    const startMs = world.nowMs;
    world.timeline.after(WITHIN.foundMs, () => this.#checkFound(startMs));
  }

  // Whoever was well all the time has registered.
  #checkFound(startMs: number): void {
    const { servers, options, places } = this.#world;
    const mayBeRefused = options.maxServers < 1024 || places < Number.POSITIVE_INFINITY;
    if (this.#isOver || mayBeRefused || this.#proxy.hasStalledSince(startMs)) return;
    for (const server of servers) {
      const { spec, name, isUp, isDoubled } = server;
      const isWell = isUp && !isDoubled && this.#proxy.healthySinceMs(server) <= startMs;
      if (isWell && spec.hasSession && this.#sources.table.findById(spec.policy, spec.id) === undefined)
        this.#proxy.violate('a proxy that starts is found soon', `${name} after ${WITHIN.foundMs} ms`);
    }
  }

  /** A worker crashes. */
  onWorkerLost(thread: Thread): void {
    this.traffic.forget(thread);
    for (const server of this.#world.servers) {
      const session = server.sessions.get(this.#proxy);
      const isOnIt = session?.peer?.host === thread.host && !session.isBlackholed;
      if (isOnIt) this.#lostSessions.set(server.address, this.#world.nowMs);
    }
  }

  // Its process has ended.
  get #isOver(): boolean {
    return !this.#proxy.isUp || this.#proxy.promises !== this;
  }

  #onEvent(event: ClusterEvent): void {
    const world = this.#world;
    const { type, policy, id, why, address } = event;
    this.#proxy.trace(() => `server ${String(id)} of policy ${policy} at ${address}: ${type}, ${why}`);
    this.#orderly.delete(policy);
    const upstream = this.#sources.table.findById(policy, id);
    this.#count(event, upstream);
    if (type === 'suspect') this.#checkSuspects(event);
    this.#checkBlame(event);
    if (type === 'forgotten') this.#forgotten.add(address);
    if (type !== 'evicted' || upstream === undefined) return;
    const next = this.#sources.table.route(policy)?.rotation.nextIndex;
    if (next !== 0)
      this.#proxy.violate('an eviction sets the turn to 0', `policy ${policy} continues at ${next}`);
    const { failures } = this.#streakOf(upstream);
    if (why.includes('probes in a row failed') && failures < world.options.fall)
      this.#proxy.violate(
        'an opposite result resets a streak',
        `server ${String(id)} after ${failures}: ${why}`,
      );
  }

  // Which events, transitions, failures and states were reached.
  #count({ type, policy, id, cause, why, evidence }: ClusterEvent, upstream: Upstream | undefined): void {
    const world = this.#world;
    const key = `${policy}/${String(id)}`;
    world.reached('events', type);
    if (type === 'registered' && this.#sources.connections() >= world.places)
      world.reached('traits', 'a server registered while all places were held');
    const before = this.#lastEvent.get(key);
    if (type !== 'registered' && before !== undefined) world.reached('transitions', `${before} → ${type}`);
    this.#lastEvent.set(key, type);
    if (evidence.failure !== undefined) world.reached('failures', evidence.failure);
    if (type === 'evicted' && upstream?.lastProbe != null)
      world.reached('evicted by', upstream.lastProbe.outcome);
    if (type === 'ejected') world.reached('ejected for', cause);
    if (upstream !== undefined) world.reached('states', upstream.health.state);
    if (world.options.fall > 1 && why.includes('in a row failed')) world.reached('limits', '--fall');
  }

  // A healthy server may be suspected, but suspicions without end flood the log and the ring of events.
  #checkSuspects({ policy, address }: ClusterEvent): void {
    const { nowMs } = this.#world;
    const key = `${policy} ${address}`;
    const times = (this.#suspectedMs.get(key) ?? []).filter((ms) => ms >= nowMs - SUSPECTS_WITHIN_MS);
    times.push(nowMs);
    this.#suspectedMs.set(key, times);
    if (times.length > MAX_SUSPECTS)
      this.#proxy.violate('events about one server are bounded', `${address}: ${times.length} suspicions`);
  }

  #checkBlame({ type, address, policy, why }: ClusterEvent): void {
    const world = this.#world;
    const server = world.servers.find((one) => one.address === address && one.spec.policy === policy);
    if (server === undefined || this.#proxy.healthySinceMs(server) > world.nowMs || !server.isUp) return;
    const isSlow = world.hasSlowWork || server.spec.isSluggish;
    // Its answers and heartbeats lay in the proxy's kernel.
    if (this.#proxy.hasStalledSince(world.nowMs)) {
      if (OF_SILENCE.test(why) && !isSlow && server.sessions.get(this.#proxy)?.isBlackholed === false)
        this.#proxy.violate('a freeze of the proxy is no silence of a server', `${server.name}: ${why}`);
      return;
    }
    // Of an outlier among slow ones nothing is promised but that its requests are answered.
    if (type === 'evicted' || (type === 'ejected' && !isSlow))
      this.#proxy.violate('a healthy server stays in rotation', `${server.name}: ${type}, ${why}`);
    const lostMs = this.#lostSessions.get(address) ?? Number.NEGATIVE_INFINITY;
    if (why.includes(SESSION_ENDED) && lostMs + 2 * world.messageMs >= world.nowMs)
      this.#proxy.violate('the end of a worker is no fault of a server', `${server.name}: ${type}, ${why}`);
    const isLocal = world.network.lastDialFaultMs >= world.nowMs - LOCAL_FAULT_LATELY_MS;
    const isAboutRequest = why.startsWith('a real request failed') && !why.includes('silent');
    if (type === 'suspect' && isLocal && isAboutRequest)
      this.#proxy.violate('a local error is not held against a server', `${server.name}: ${why}`);
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
    this.#proxy.trace(() => `a probe of server ${String(upstream.id)}: ${streak.last?.outcome}`);
    return streak;
  }

  /** Checks everything once; called after each step in which the proxy did something. */
  check(): void {
    const { options } = this.#world;
    const { threads } = this.#proxy;
    let again = 0;
    for (const { counters } of threads) {
      again += counters.moves + counters.slippedAnswers + counters.localFailures;
      // What is sent again is kept from servers that have had it: it goes out of turn.
      for (const reason in counters.retryReasons) again += counters.retryReasons[reason] ?? 0;
    }
    if (again !== this.#seenAgain) this.#orderly.clear();
    this.#seenAgain = again;
    this.#checks += 1;
    if (this.#checks % CHECK_RETRIES_EACH === 0 && !options.verifyAnswers) this.traffic.checkRetries();
    for (const route of this.#sources.table.routes) this.#checkRoute(route);
    if (this.#checks % CHECK_SIZES_EACH === 0) this.#checkSizes();
    // As the status port does once a second.
    if (this.#checks % REFRESH_EACH === 0) void this.#sources.refresh();
  }

  #checkSizes(): void {
    const world = this.#world;
    const { table } = this.#sources;
    const { pipelineDepth, upstreamConnections, maxServers } = world.options;
    for (const { policy, upstreams } of table.routes) {
      if (new Set(upstreams.map(({ id }) => String(id))).size < upstreams.length)
        this.#proxy.violate('one entry a server', `policy ${policy} has an id twice`);
    }
    if (table.size > maxServers) this.#proxy.violate('limits', `${table.size} servers are in the table`);
    if (table.size >= maxServers) world.reached('limits', '--max-servers');
    const servers = new Set([...table.upstreams].map(({ host }) => host));
    const underWayBytes = (pipelineDepth * upstreamConnections + MAX_BESIDE_REQUESTS) * MAX_REQUEST_BYTES;
    for (const { sockets } of this.#proxy.hosts) {
      for (const { remoteAddress, writableLength } of sockets) {
        const limit = servers.has(remoteAddress ?? '') ? underWayBytes : MAX_BUFFERED_BYTES;
        if (writableLength > limit)
          this.#proxy.violate('limits', `${writableLength} bytes wait for ${remoteAddress}`);
      }
    }
    for (const connection of world.deafConnections)
      if (connection.proxy === this.#proxy) this.#checkDeaf(connection);
  }

  // What has been read of it and not replied to, and the replies that it has not read.
  #checkDeaf(connection: ClientConnection): void {
    const world = this.#world;
    const { peer } = connection.socket;
    // What comes on connections that are being closed is thrown away.
    if (peer === null || peer.isDestroyed || peer.writableEnded || world.nowMs >= this.#proxy.stoppingSinceMs)
      return;
    if (peer.writableLength > 0) world.reached('limits', 'replies that wait for a reader');
    // It never reads: nothing that was sent on it has left `due`.
    const known = connection.due.slice(0, connection.replied + MAX_OPEN_REQUESTS);
    const knownBytes = known.reduce((sum, { bytes }) => sum + bytes, 0);
    const bytes = Math.max(0, peer.bytesRead - knownBytes) + peer.writableLength;
    if (bytes > MAX_BUFFERED_BYTES)
      this.#proxy.violate('a client that does not read costs little', `${bytes} bytes are held for it`);
  }

  #checkRoute(route: Route): void {
    const world = this.#world;
    const { maxWaiting, upstreamConnections, subset, workers } = world.options;
    const { policy, rotation } = route;
    if (subset > 0) this.#checkSize(route, subset);
    // Each worker has its part of the queue.
    const limit = Math.ceil(maxWaiting / workers);
    const waiting: Request[] = [];
    for (const { table } of this.#proxy.threads) {
      const own = table.route(policy);
      if (own === undefined) continue;
      this.shares.check(own);
      const { length } = own.waiting;
      if (length > 0) waiting.push(...own.waiting.toArray());
      if (length >= limit) world.reached('limits', '--queue');
      const comeBack = this.traffic.mayHaveComeBack(policy) ? MAX_COME_BACK : 0;
      if (length > limit + comeBack)
        this.#proxy.violate('limits', `${length} requests of policy ${policy} wait`);
    }
    for (const upstream of route.upstreams) {
      const { state } = upstream.health;
      this.#streakOf(upstream);
      world.reached('states', state);
      if (upstreamConnections > 1 && upstream.keepsAlive && upstream.tally.inFlight > 1)
        world.reached('limits', 'more than one connection to a server');
      if (isInRotation(state) !== rotation.members.includes(upstream))
        this.#proxy.violate('the rotation is the ready servers', `server ${String(upstream.id)}: ${state}`);
    }
    // What a connection loses that was reused, or had an answer too many, is sent again out of turn, at any moment.
    const isOrderly = ({ spec, behaviour }: SimulatedServer): boolean =>
      !spec.resetsReused && behaviour !== 'answer-twice' && behaviour !== 'misaddress';
    if (world.servers.every(isOrderly)) this.#checkTurns(route, waiting);
    else this.#orderly.delete(policy);
  }

  #checkSize({ policy, upstreams, rotation: { members } }: Route, subset: number): void {
    const having = (...states: State[]) =>
      upstreams.filter(({ health }) => states.includes(health.state)).length;
    const isShort = having('ready', 'trial', 'suspect') < subset && having('standby') > 0;
    if (members.length > subset || isShort)
      this.#proxy.violate('a subset has its size', `policy ${policy}: ${members.length} in rotation`);
  }

  #checkTurns({ policy, rotation: { members } }: Route, waiting: readonly Request[]): void {
    const isFree = ({ tally, capacity, health }: Upstream): boolean =>
      tally.inFlight * 2 < capacity && health.state === 'ready';
    const before = this.#orderly.get(policy);
    const isOrderly =
      waiting.length === 0 &&
      this.#proxy.threads.every(({ table }) => table.route(policy)?.rotation.members.every(isFree) ?? true);
    if (!isOrderly || before?.size !== members.length) {
      this.#orderly.set(policy, new Map(members.map((member) => [member, member.tally.sent])));
      return;
    }
    const sent = members.map((member) => member.tally.sent - (before.get(member) ?? 0));
    const [least, most] = [Math.min(...sent), Math.max(...sent)];
    if (most - least > 1)
      this.#proxy.violate('round robin', `policy ${policy}: from ${least} to ${most} requests each`);
  }

  /** From `withinMs` on the server must get nothing, if nothing else happens to it. */
  mustBeOut(server: SimulatedServer, withinMs: number, what: string): void {
    const world = this.#world;
    const { changes, address } = server;
    world.timeline.after(withinMs, () => {
      // With no descriptor or port left the proxy can't probe either.
      const isBlind = world.network.lastDialFaultMs >= world.nowMs - withinMs;
      const isMoot =
        server.changes !== changes || isBlind || this.#proxy.hasStalledSince(world.nowMs - withinMs);
      if (this.#isOver || isMoot || world.nowMs >= this.#proxy.stoppingSinceMs) return;
      const upstream = this.#sources.table.findById(server.spec.policy, server.spec.id);
      if (upstream?.address === address && isInRotation(upstream.health.state))
        this.#proxy.violate('what fails is noticed in time', `${server.name}, ${what} for ${withinMs} ms`);
    });
  }

  /** The server has fallen silent: the proxy must end its session. */
  mustLoseSession(server: SimulatedServer): void {
    const world = this.#world;
    const { sessions, changes } = server;
    const ours = sessions.get(this.#proxy)?.peer ?? null;
    if (ours === null) return;
    world.timeline.after(WITHIN.sessionMs, () => {
      const isMoot =
        server.changes > changes + 1 || this.#proxy.hasStalledSince(world.nowMs - WITHIN.sessionMs);
      // A proxy that stops has said goodbye, and checks no heartbeats any more.
      const isStopping = world.nowMs >= this.#proxy.stoppingSinceMs;
      if (!this.#isOver && !isStopping && !isMoot && !ours.isDestroyed)
        this.#proxy.violate('a silent session ends', `that of ${server.name}, after ${WITHIN.sessionMs} ms`);
    });
  }

  /** After everything has healed: the table is the servers that are up, and no other. */
  checkTable(): void {
    const { servers, nowMs, hasSlowWork } = this.#world;
    const { table } = this.#sources;
    const violate = (detail: string) => this.#proxy.violate('the table is the servers that are up', detail);
    let missing = 0;
    for (const { spec, name, address } of servers) {
      const upstream = table.findById(spec.policy, spec.id);
      if (upstream?.address !== address) {
        // It had to make room in a full table, or the proxy has started again: one without a session does not register again.
        const isUnknown = this.#forgotten.has(address) || this.#proxy.starts > 1;
        if (upstream === undefined && !spec.hasSession && isUnknown) missing += 1;
        else violate(`${name} at ${address} is listed at ${upstream?.address}`);
        continue;
      }
      const { state, sinceMs, why } = upstream.health;
      // An outlier's penalty may last longer than this world, and a slow one may be suspected just now.
      const mayBeOut =
        state === 'ejected' || state === 'standby' || (hasSlowWork && nowMs - sinceMs < SUSPECTED_LATELY_MS);
      if (!isInRotation(state) && !mayBeOut) violate(`${name} is ${state}: ${why}`);
    }
    if (table.size !== servers.length - missing)
      violate(`it lists ${table.size} of ${servers.length} servers`);
    for (const route of table.routes) this.#checkSubset(route);
    this.#checkCopies();
  }

  // Of the servers that are good for requests the best ones are used, and as many as there may be. A suspect keeps its place
  // until a probe has decided.
  #checkSubset({ policy, upstreams }: Route): void {
    const { subset } = this.#world.options;
    const good = upstreams.filter(
      ({ health: { state } }) => isInRotation(state) || state === 'standby' || state === 'suspect',
    );
    const best = good.toSorted((a, b) => a.rank - b.rank).slice(0, subset);
    const wrong = best.find(({ health: { state } }) => state === 'standby');
    if (wrong !== undefined)
      this.#proxy.violate('a subset has its size', `server ${wrong.id} of policy ${policy} stands by`);
  }

  /** All servers and clients have been gone for long: nothing may be left of them. */
  checkEmpty(): void {
    for (const { table } of [this.#sources, ...this.#proxy.threads]) {
      const routes = [...table.routes].length;
      if (table.size > 0 || routes > 0)
        this.#proxy.violate('nothing is left', `${table.size} servers and ${routes} policies in the table`);
    }
  }

  // Each worker goes by what the keeper knows, when all that was said has arrived.
  #checkCopies(): void {
    const known = pictureOf(this.#sources.table);
    for (const thread of this.#proxy.threads) {
      if (!(thread instanceof WorkerThread) || !thread.isUpToDate) continue;
      const picture = pictureOf(thread.table);
      if (picture !== known)
        this.#proxy.violate(
          'workers know what the keeper knows',
          `${thread.host.name} has ${picture} for ${known}`,
        );
    }
  }

  /** The proxy has stopped: it holds no timer and no connection any more, so that each client has seen the end of its own. */
  checkEnd(hasStopped: boolean): void {
    const { host, isWhole, requests } = this.#proxy;
    const { sockets, pendingTimers } = host;
    const { requests: counted } = this.#sources.counters;
    if (isWhole && counted !== requests)
      this.#proxy.violate('every request is counted', `${counted} of ${requests}`);
    if (!hasStopped) this.#proxy.violate('a stop ends', 'it has not ended within its time');
    if (sockets.size > 0) this.#proxy.violate('nothing is left', `${sockets.size} open connections`);
    if (pendingTimers > 0) this.#proxy.violate('nothing is left', `${pendingTimers} timers`);
  }
}

// What requests are routed by. Of policies without a server each thread knows those that it was asked for.
function pictureOf(table: PolicyTable): string {
  const routes = Iterator.from(table.routes).filter(({ upstreams }) => upstreams.length > 0);
  const pictures = routes.map(({ policy, upstreams, rotation }) => {
    const servers = upstreams.map(({ id, order, health: { state } }) => `${id} (${order}, ${state})`);
    const members = rotation.members.map(({ id }) => id);
    return `${policy} [${servers.join(', ')}], turns [${members.join(', ')}] at ${rotation.epoch}`;
  });
  return [...pictures].sort().join('; ');
}
