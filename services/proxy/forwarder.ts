// pure · a request's way from the client to an answer: pick, hand over, try the next server, reply exactly once.
// Must never touch a socket or a timer, or make a closure or a promise per request: deadlines are swept.

import { DeadlineQueue } from '../shared/deadline-queue.ts';
import type { ErrorCode } from '../shared/error-codes.ts';
import type { RequestPacket } from '../shared/packet.ts';
import type { FailureKind } from './failure.ts';
import type { PolicyTable, Route } from './policy-table.ts';
import type { TrafficObserver } from './pool.ts';
import { Replier } from './replier.ts';
import { type ReplySink, Request } from './request.ts';
import type { RetryBudget } from './retry-budget.ts';
import type { Upstream } from './upstream.ts';
import { WaitingRoom, type WaitingRoomLimits } from './waiting-room.ts';

export type RetryMode = 'never' | 'connect' | 'always';

export type ForwarderLimits = WaitingRoomLimits & {
  retry: RetryMode;
  attemptTimeoutMs: number;
  connectTimeoutMs: number;
  /** How long after the start a policy without a server is taken for one whose servers are about to register. */
  startupMs: number;
};

/** What real traffic tells of a server; the health checker listens. */
export type Evidence = {
  /** Requests failed on it; called before they are sent elsewhere. */
  onFailure(upstream: Upstream, failure: FailureKind): void;
  /** Its trial request was answered. */
  onTrialPassed(upstream: Upstream): void;
  /** It is leaving, and its last request has been answered. */
  onDrained(upstream: Upstream): void;
};

export type ForwarderCounters = {
  requests: number;
  answered: number;
  retries: number;
  /** Answers to requests that had been given up; never handed to anybody. */
  lateAnswers: number;
  /** Requests that ended with a refusal, by its code. */
  errors: Record<string, number>;
  /** Refusals that answer no request, by their code: of bytes, packets, registrations and connections. */
  refusals: Record<string, number>;
};

/** Decides whether `answer` (latin1) is right for `payload`; null where answers are not verified. */
export type Verify = ((payload: string, answer: string) => boolean) | null;

export class Forwarder implements TrafficObserver {
  readonly counters: ForwarderCounters;
  readonly #table: PolicyTable;
  readonly #budget: RetryBudget;
  readonly #limits: ForwarderLimits;
  readonly #evidence: Evidence;
  readonly #verify: Verify;
  readonly #now: () => number;
  readonly #deadlines = new DeadlineQueue<Request>();
  /** Those that a sweep has to look at: thousands of others may be idle. */
  readonly #busy = new Set<Upstream>();
  readonly #replier = new Replier();
  readonly #waitingRoom: WaitingRoom;
  readonly #startedMs: number;
  #isDraining = false;

  constructor(
    table: PolicyTable,
    budget: RetryBudget,
    limits: ForwarderLimits,
    evidence: Evidence,
    verify: Verify,
    now: () => number,
  ) {
    this.#table = table;
    this.#budget = budget;
    this.#limits = limits;
    this.#evidence = evidence;
    this.#verify = verify;
    this.#now = now;
    this.#startedMs = now();
    this.#waitingRoom = new WaitingRoom(limits, this.#replier);
    this.counters = {
      requests: 0,
      answered: 0,
      retries: 0,
      lateAnswers: 0,
      errors: this.#replier.errors,
      refusals: {},
    };
  }

  /** How many requests have no reply yet. */
  get openRequests(): number {
    return this.#deadlines.countOpen();
  }

  /** Counts a refusal that answers no request. */
  countRefusal(code: ErrorCode): void {
    const { refusals } = this.counters;
    refusals[code] = (refusals[code] ?? 0) + 1;
  }

  /** From now on every new request is refused with SHUTTING_DOWN. */
  drain(): void {
    this.#isDraining = true;
  }

  /**
   * Opens a client's request. `forward` sends it on its way, once the client has noted its place in the order of replies.
   * @param wire the request's bytes as latin1, ending in `\n`
   */
  open(client: ReplySink, packet: RequestPacket, wire: string, nowMs: number): Request {
    const { requestTimeoutMs } = this.#limits;
    const payload = this.#verify === null ? null : packet.payload;
    const request = new Request(
      client,
      packet.clientId,
      packet.policy,
      wire,
      payload,
      nowMs + requestTimeoutMs,
    );
    this.counters.requests += 1;
    this.#budget.countRequest(nowMs);
    return request;
  }

  /** Sends an open request on its way; its reply comes through `client.deliver`, perhaps before this returns. */
  forward(request: Request, nowMs: number): void {
    if (this.#isDraining) {
      this.#replier.refuse(
        request,
        'SHUTTING_DOWN',
        'The proxy is shutting down: try again in a few seconds.',
      );
      return;
    }
    this.#deadlines.push(request);
    this.#dispatch(this.#routeOf(request.policy, nowMs), request, nowMs);
  }

  #routeOf(policy: string, nowMs: number): Route | undefined {
    const route = this.#table.route(policy);
    if (route !== undefined || nowMs - this.#startedMs >= this.#limits.startupMs) return route;
    return this.#table.expect(policy, nowMs);
  }

  #dispatch(route: Route | undefined, request: Request, nowMs: number): void {
    if (route !== undefined && route.waiting.length === 0) {
      const upstream = route.rotation.pick(request.tried);
      if (upstream !== null) {
        upstream.send(request, nowMs);
        return;
      }
    }
    this.#waitingRoom.admit(request, route, nowMs);
  }

  /** The servers of a route have changed: whoever waits is served, waits on, or is refused. */
  routeChanged(route: Route): void {
    this.#waitingRoom.serve(route, this.#now());
    this.#replier.flush();
  }

  onAnswer(upstream: Upstream, request: Request, answer: string): boolean {
    if (request.isDone) {
      this.counters.lateAnswers += 1;
      return true;
    }
    if (this.#verify !== null && !this.#verify(request.payload ?? '', answer)) {
      this.#fail(upstream, 'wrong-digest', [request], true);
      return false;
    }
    upstream.served += 1;
    upstream.failuresInARow = 0;
    if (upstream.health.state === 'trial') this.#evidence.onTrialPassed(upstream);
    this.counters.answered += 1;
    this.#replier.reply(request, answer);
    return true;
  }

  onBusy(upstream: Upstream): void {
    this.#busy.add(upstream);
  }

  /** It goes on purpose: `Evidence.onDrained` is told once nothing is in flight on it. */
  onLeaving(upstream: Upstream): void {
    this.#busy.add(upstream);
  }

  onAnswersEnd(upstream: Upstream): void {
    this.#serveWaiting(upstream.policy);
  }

  onBroken(
    upstream: Upstream,
    failure: FailureKind,
    unanswered: readonly Request[],
    wasConnected: boolean,
  ): void {
    const open = unanswered.filter((request) => !request.isDone);
    this.#fail(upstream, failure, open, wasConnected);
    this.#serveWaiting(upstream.policy);
  }

  // A server has room again, or is gone: whoever waits for one of its policy is looked at.
  #serveWaiting(policy: string): void {
    const route = this.#table.route(policy);
    if (route !== undefined && route.waiting.length > 0) this.#waitingRoom.serve(route, this.#now());
    this.#replier.flush();
  }

  // The evidence goes first, so that a retry does not meet the same server again.
  #fail(upstream: Upstream, failure: FailureKind, requests: readonly Request[], wasConnected: boolean): void {
    if (requests.length > 0 && failure !== 'evicted' && failure !== 'distrusted') {
      upstream.failed += requests.length;
      upstream.failuresInARow += requests.length;
      this.#evidence.onFailure(upstream, failure);
    }
    const isFree = failure === 'distrusted';
    for (const request of requests) if (!request.isDone) this.#retry(request, upstream, wasConnected, isFree);
  }

  // What stood behind a wrong answer is free: one lie would take up to 64 retries out of the budget, and two lies all that
  // a proxy has in its first second. It multiplies nothing, since a server is ejected after `fall` lies.
  #retry(request: Request, failed: Upstream, wasConnected: boolean, isFree: boolean): void {
    const nowMs = this.#now();
    request.upstream = null;
    request.wasSent ||= wasConnected;
    request.tried = request.tried === null ? [failed] : [...request.tried, failed];
    if (request.client.isClosed) {
      request.reply = '';
      return;
    }
    const isAllowed = this.#limits.retry === 'always' || (this.#limits.retry === 'connect' && !wasConnected);
    if (!isAllowed || !(isFree || this.#budget.tryRetry(nowMs))) {
      this.#replier.giveUp(request);
      return;
    }
    this.counters.retries += 1;
    this.#dispatch(this.#table.route(request.policy), request, nowMs);
  }

  /** Ends what has waited too long: attempts, holds and whole requests. Called every few milliseconds. */
  sweep(nowMs: number): void {
    while (this.#deadlines.hasExpired(nowMs)) this.#timeOut(this.#deadlines.peek() as Request);
    for (const route of this.#table.routes) {
      if (route.waiting.length > 0) this.#waitingRoom.sweep(route, nowMs);
    }
    for (const upstream of this.#busy) this.#sweepUpstream(upstream, nowMs);
    this.#replier.flush();
  }

  /** There is no time left: refuses every request that is still open. */
  refuseOpen(): void {
    for (let request = this.#deadlines.peek(); request !== undefined; request = this.#deadlines.peek())
      this.#replier.shutDown(request);
    this.#replier.flush();
  }

  #sweepUpstream(upstream: Upstream, nowMs: number): void {
    if (upstream.inFlight === 0) {
      this.#busy.delete(upstream);
      if (upstream.health.state === 'leaving' && this.#table.has(upstream))
        this.#evidence.onDrained(upstream);
      return;
    }
    const members = this.#table.route(upstream.policy)?.rotation.members ?? [];
    upstream.carrier?.breakConnecting(nowMs - this.#limits.connectTimeoutMs);
    const mayRetry = this.#limits.retry === 'always' && this.#budget.canRetry(nowMs);
    upstream.carrier?.breakSilent(
      nowMs - this.#limits.attemptTimeoutMs,
      (request) => mayRetry && members.some((other) => other !== upstream && !request.tried?.includes(other)),
    );
  }

  // The connection stays as long as others wait on it: with nobody else ready, they may still be answered. Nothing new
  // joins them, and an answer to this one, should it come, finds the request done.
  #timeOut(request: Request): void {
    const { upstream } = request;
    if (upstream !== null) {
      request.wasSent = true;
      upstream.failed += 1;
      upstream.failuresInARow += 1;
      this.#evidence.onFailure(upstream, 'silent');
    }
    this.#replier.timeOut(request, this.#limits.requestTimeoutMs);
  }
}
