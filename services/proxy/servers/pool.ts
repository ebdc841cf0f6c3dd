// The connections to one server: opened when needed, few, shared by many requests. On the data path.
import { IntrusiveSet } from '../../shared/intrusive-set.ts';
import type { Network } from '../network/network.ts';
import type { ProxyOptions } from '../options.ts';
import type { Request } from '../routing/request.ts';
import type { RequestWatch } from '../routing/watch.ts';
import { type FailureKind, LACK_LASTS_MS } from './failure.ts';
import type { Flusher } from './flusher.ts';
import { ConnectionLimit } from './limits/connection-limit.ts';
import type { LonePlaces } from './limits/lone-places.ts';
import type { Upstream, UpstreamPool } from './upstream.ts';
import { type ConnectionOwner, UpstreamConnection } from './upstream-connection.ts';

// A server that closes after its answer has done so by then.
const LINGER_MS = 200;
// One that has waited for us to close gets no more than a sweep.
const SHORT_LINGER_MS = 10;
// Each is a descriptor; of a server that closes first, a few are waited for at a time.
const MAX_LINGERING = 32;
// A server whose connections fall silent one after the other gets no more than this.
const MAX_SILENT = 16;
// And no more requests than this are left to hang on a server beside those that it has room for.
const MAX_BESIDE = 256;
// A connection that was idle for less was in use: nothing on the way has forgotten it.
const FORGOTTEN_AFTER_MS = 250;

/** A connection on which the server has worked on `first` for longer than an attempt may take. */
export type Silence = {
  first: Request;
  behind: readonly Request[];
  /** It had been idle, so something on the way may have forgotten it. */
  isForgotten: boolean;
  /** Reported for the first time. */
  isNews: boolean;
  /** When it was first reported, monotonic ms. */
  sinceMs: number;
};

/** The forwarder, as a pool knows it. */
export type TrafficObserver = {
  /** It had nothing in flight, and now it has. */
  onBusy(upstream: Upstream): void;
  /** False when the answer is wrong: what follows on its connection may be the answer to another request. */
  onAnswer(upstream: Upstream, request: Request, answer: string, nowMs: number): boolean;
  onAnswersEnd(upstream: Upstream): void;
  /** It has worked on a request for longer than an attempt may take. Reported at each sweep. */
  onSilence(upstream: Upstream, silence: Silence): void;
  /** `first` has its reply, from elsewhere or because its time was up; this server has worked on it since `sinceMs`. */
  onGivenUp(upstream: Upstream, first: Request, sinceMs: number): void;
  /** A connection is over. `wasConnected` false means that nothing of `unanswered` was sent. */
  onBroken(
    upstream: Upstream,
    failure: FailureKind,
    unanswered: readonly Request[],
    wasConnected: boolean,
  ): void;
};

export type PoolOptions = Pick<
  ProxyOptions,
  | 'upstreamConnections'
  | 'oneRequestConnections'
  | 'connectTimeoutMs'
  | 'attemptTimeoutMs'
  | 'requestTimeoutMs'
  | 'upstreamIdleMs'
>;

/** What the pools of all servers share. */
export type PoolWorld = {
  network: Network;
  flusher: Flusher;
  /** Monotonic ms. */
  now: () => number;
  watch: RequestWatch | null;
  lonePlaces: LonePlaces;
};

export class Pool implements UpstreamPool, ConnectionOwner {
  readonly #upstream: Upstream;
  readonly #options: PoolOptions;
  readonly #world: PoolWorld;
  /** A server that has worked for longer on a request whose time is up is to be blamed for that. */
  readonly #patienceMs: number;
  readonly #observer: TrafficObserver;
  readonly #connections = new IntrusiveSet<UpstreamConnection>();
  readonly #lingering = new IntrusiveSet<UpstreamConnection>();
  readonly #limit: ConnectionLimit;
  readonly #keptCapacity: number;
  #closesFirst = true;
  /** When a connection last failed for want of a port or descriptor of ours, monotonic ms. */
  #lackedMs = Number.NEGATIVE_INFINITY;

  constructor(upstream: Upstream, options: PoolOptions, world: PoolWorld, observer: TrafficObserver) {
    this.#upstream = upstream;
    this.#options = options;
    this.#world = world;
    this.#patienceMs = Math.min(options.attemptTimeoutMs, options.requestTimeoutMs / 2);
    this.#observer = observer;
    this.#limit = new ConnectionLimit(options.oneRequestConnections);
    this.#keptCapacity = upstream.capacity;
  }

  isSilent(nowMs: number): boolean {
    return this.#connections.members.some((connection) => this.#hasSilence(connection, nowMs));
  }

  isStuck(nowMs: number): boolean {
    return this.#connections.members.some(
      (connection) =>
        this.#hasSilence(connection, nowMs) && !(connection.isSilent && this.#isBeside(connection)),
    );
  }

  // Also where the running sweep has not come to it yet.
  #hasSilence(connection: UpstreamConnection, nowMs: number): boolean {
    if (connection.isSilent || !connection.isConnected) return connection.isSilent;
    return connection.silentMs(nowMs) > this.#options.attemptTimeoutMs;
  }

  // A probe that began since then has passed.
  #isBeside({ silentSinceMs }: UpstreamConnection): boolean {
    return this.#upstream.tally.provenMs >= silentSinceMs;
  }

  send(request: Request, nowMs: number): void {
    const upstream = this.#upstream;
    const { flusher, watch } = this.#world;
    if (watch !== null) watch.onAttempt(request, upstream, nowMs);
    const connection = this.#connectionFor(request, nowMs);
    request.attemptMs = nowMs;
    request.upstream = upstream;
    request.placements += 1;
    upstream.tally.inFlight += 1;
    if (upstream.tally.inFlight === 1) this.#observer.onBusy(upstream);
    upstream.tally.sent += 1;
    flusher.add(connection);
    connection.push(request);
  }

  #connectionFor(request: Request, nowMs: number): UpstreamConnection {
    if (!this.#upstream.keepsAlive || request.trouble?.isAlone === true) return this.#open(nowMs, false);
    let least: UpstreamConnection | null = null;
    let shared = 0;
    let silent: UpstreamConnection | null = null;
    for (const connection of this.#connections.members) {
      if (!connection.isShared) continue;
      shared += 1;
      if (this.#isStalled(connection, nowMs)) silent = connection;
      else if (least === null || connection.inFlight < least.inFlight) least = connection;
    }
    if (least === null) return silent !== null && shared >= MAX_SILENT ? silent : this.#open(nowMs, true);
    if (least.inFlight === 0) {
      least.restedMs = nowMs - least.idleSinceMs;
      // Something on the way may have forgotten it: no way to learn about a server, or to help a request in trouble.
      const isVital = request.trouble !== null || this.#upstream.health.state === 'trial';
      if (least.restedMs < (isVital ? FORGOTTEN_AFTER_MS : this.#options.upstreamIdleMs)) return least;
      this.#closeIfDone(least);
      return this.#open(nowMs, true);
    }
    const hasAll = shared >= this.#options.upstreamConnections || nowMs - this.#lackedMs < LACK_LASTS_MS;
    return hasAll ? least : this.#open(nowMs, true);
  }

  // Answers to what is on it may never come: nothing new may join. A first request that has its reply already may just have
  // been old when it came.
  #isStalled(connection: UpstreamConnection, nowMs: number): boolean {
    if (connection.isSilent) return true;
    return connection.first?.isDone === true && connection.silentMs(nowMs) > this.#patienceMs;
  }

  #open(nowMs: number, isShared: boolean): UpstreamConnection {
    const opened = new UpstreamConnection(this.#world.network, this.#upstream, isShared, nowMs, this);
    this.#connections.add(opened);
    if (this.#isLone(opened)) this.#world.lonePlaces.take(this.#upstream.policy);
    return opened;
  }

  #remove(connection: UpstreamConnection): void {
    // One with a wrong answer has failed before its end.
    if (connection.place === -1) return;
    this.#connections.delete(connection);
    if (this.#isLone(connection)) this.#world.lonePlaces.giveBack(this.#upstream.policy);
  }

  #isLone({ isShared }: UpstreamConnection): boolean {
    return this.#upstream.keepsAlive && !isShared;
  }

  sweep(nowMs: number): boolean {
    // All before any of them is reported: what waits on one must not be moved to another that is silent too.
    for (const connection of this.#connections.members) this.#noteSilence(connection, nowMs);
    for (const connection of [...this.#connections.members]) {
      if (connection.isConnected) this.#look(connection, nowMs);
      else if (connection.startedMs < nowMs - this.#options.connectTimeoutMs)
        connection.fail(this.#isCongested(connection) ? 'congested' : 'connect-timeout');
    }
    this.#countBeside();
    const lingerMs = this.#closesFirst ? LINGER_MS : SHORT_LINGER_MS;
    for (const connection of [...this.#lingering.members]) {
      if (nowMs - connection.lingersSinceMs < lingerMs) continue;
      this.#closesFirst = false;
      this.#reset(connection);
    }
    return this.#upstream.tally.inFlight > 0 || this.#lingering.size > 0;
  }

  // Some of those that hung may hang no more: until they are counted, what is awaited would look like less than it is.
  #recountBeside(): void {
    if (this.#upstream.tally.hanging > 0) this.#countBeside();
  }

  #countBeside(): void {
    let count = 0;
    for (const connection of this.#connections.members) {
      if (connection.isSilent && this.#isBeside(connection)) count += connection.inFlight;
    }
    if (count === this.#upstream.tally.hanging) return;
    this.#upstream.tally.hanging = count;
    this.#setCapacity();
  }

  #setCapacity(): void {
    const upstream = this.#upstream;
    upstream.capacity =
      (upstream.keepsAlive ? this.#keptCapacity : this.#limit.value) +
      Math.min(upstream.tally.hanging, MAX_BESIDE);
  }

  #noteSilence(connection: UpstreamConnection, nowMs: number): void {
    if (connection.isSilent || !this.#hasSilence(connection, nowMs)) return;
    connection.isSilent = true;
    connection.silentSinceMs = nowMs;
  }

  #look(connection: UpstreamConnection, nowMs: number): void {
    const { first } = connection;
    if (first === null) return;
    const silentMs = connection.silentMs(nowMs);
    if (first.isDone) {
      // A client that has gone has had no reply, and a request whose time was up soon after it came is no sign of silence.
      const isOverdue = connection.isSilent || silentMs > this.#patienceMs;
      const isBlamed = isOverdue && first.reply !== '' && !this.#isForgotten(connection);
      if (isBlamed && connection.isFirstBlameFor(first))
        this.#observer.onGivenUp(this.#upstream, first, nowMs - silentMs);
      const isOver = isOverdue || !connection.isShared;
      if (isOver && connection.isAbandoned) {
        connection.fail('silent');
        return;
      }
    }
    // Also where the first has its reply: others may wait behind it.
    if (connection.isSilent) this.#reportSilence(connection, first, nowMs);
  }

  // It was idle before and the server lives: the request may never have reached it. A trial on a fresh connection tells.
  #isForgotten(connection: UpstreamConnection): boolean {
    return connection.isSilent && mayBeForgotten(connection) && this.#isBeside(connection);
  }

  #reportSilence(connection: UpstreamConnection, first: Request, nowMs: number): void {
    const { behind, silentSinceMs: sinceMs } = connection;
    const isForgotten = mayBeForgotten(connection);
    const isNews = sinceMs === nowMs;
    this.#observer.onSilence(this.#upstream, { first, behind, isForgotten, isNews, sinceMs });
  }

  // The server has answered since, or others of ours stand there: the one that gets no answer has found its accept queue full.
  #isCongested({ startedMs }: UpstreamConnection): boolean {
    if (this.#upstream.tally.lastAnswerMs >= startedMs || this.#lingering.size > 0) return true;
    return this.#connections.members.some(({ isConnected, isSilent }) => isConnected && !isSilent);
  }

  retire(): void {
    this.#upstream.isRetired = true;
    for (const connection of [...this.#connections.members]) {
      if (connection.isConnected) this.#closeIfDone(connection);
      else connection.fail('evicted');
    }
  }

  destroy(): void {
    for (const connection of [...this.#connections.members]) connection.fail('evicted');
    for (const connection of [...this.#lingering.members]) this.#reset(connection);
  }

  now(): number {
    return this.#world.now();
  }

  onAnswer(connection: UpstreamConnection, request: Request, answer: string, nowMs: number): void {
    this.#upstream.tally.inFlight -= 1;
    this.#recountBeside();
    request.placements -= 1;
    // A wrong digest looks like an answer that slipped by one place: then all that follow would be wrong too, and one that
    // is right by chance would carry another client's id.
    if (!this.#observer.onAnswer(this.#upstream, request, answer, nowMs)) connection.fail('distrusted');
  }

  onAnswersEnd(connection: UpstreamConnection, attemptMs: number, nowMs: number): void {
    const upstream = this.#upstream;
    const tookMs = nowMs - attemptMs;
    upstream.tally.lastAnswerMs = nowMs;
    upstream.answers += 1;
    if (tookMs > this.#options.attemptTimeoutMs) upstream.slowAnswers += 1;
    connection.restedMs = 0;
    if (connection.inFlight === 0) connection.idleSinceMs = nowMs;
    if (!connection.isShared) this.#finish(connection, tookMs, nowMs);
    else if (upstream.isRetired) this.#closeIfDone(connection);
    this.#observer.onAnswersEnd(upstream);
  }

  #finish(connection: UpstreamConnection, tookMs: number, nowMs: number): void {
    this.#remove(connection);
    if (this.#upstream.keepsAlive) {
      connection.close();
      return;
    }
    this.#limit.onAnswer(tookMs, this.#upstream.tally.inFlight + 1 >= this.#upstream.capacity, nowMs);
    this.#setCapacity();
    connection.linger(nowMs);
    this.#lingering.add(connection);
    const [oldest] = this.#lingering.members;
    if (this.#lingering.size > MAX_LINGERING && oldest !== undefined) this.#reset(oldest);
  }

  #reset(connection: UpstreamConnection): void {
    this.#lingering.delete(connection);
    connection.reset();
  }

  #closeIfDone(connection: UpstreamConnection): void {
    if (connection.inFlight > 0) return;
    this.#remove(connection);
    connection.close();
  }

  onLingered(connection: UpstreamConnection): void {
    this.#closesFirst = true;
    this.#lingering.delete(connection);
  }

  onBroken(connection: UpstreamConnection, failure: FailureKind, unanswered: Request[]): void {
    const upstream = this.#upstream;
    this.#remove(connection);
    if (failure === 'local') this.#lackedMs = this.now();
    const other = failure === 'local' && connection.isShared ? this.#standing() : null;
    const left = other === null ? unanswered : [];
    if (other !== null) this.#carryOver(unanswered, other);
    for (const request of left) request.placements -= 1;
    upstream.tally.inFlight -= left.length;
    this.#recountBeside();
    if (failure === 'congested') {
      this.#limit.onCongestion(this.#world.now());
      this.#setCapacity();
    }
    this.#observer.onBroken(upstream, failure, left, connection.isConnected);
  }

  // Where our own lack allows no further connection, those that stand carry what was meant for it.
  #standing(): UpstreamConnection | null {
    const nowMs = this.now();
    let least: UpstreamConnection | null = null;
    for (const connection of this.#connections.members) {
      if (!connection.isShared || !connection.isConnected || this.#isStalled(connection, nowMs)) continue;
      if (least === null || connection.inFlight < least.inFlight) least = connection;
    }
    return least;
  }

  #carryOver(requests: readonly Request[], connection: UpstreamConnection): void {
    this.#world.flusher.add(connection);
    for (const request of requests) connection.push(request);
  }
}

// Its request was the first after so much silence.
function mayBeForgotten({ restedMs }: UpstreamConnection): boolean {
  return restedMs >= FORGOTTEN_AFTER_MS;
}
