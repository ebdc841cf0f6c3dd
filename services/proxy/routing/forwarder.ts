// A request's way from the client to an answer: pick a server, hand over, try the next one, reply once. On the data path.
import { DeadlineQueue } from '../../shared/deadline-queue.ts';
import type { ErrorCode } from '../../shared/error-codes.ts';
import type { RequestPacket } from '../../shared/packet.ts';
import type { HealthChecker } from '../health/health-checker.ts';
import { Traffic } from '../metrics/traffic.ts';
import type { ProxyOptions } from '../options.ts';
import { blameOf, type FailureKind } from '../servers/failure.ts';
import type { LonePlaces } from '../servers/limits/lone-places.ts';
import type { Silence, TrafficObserver } from '../servers/pool.ts';
import type { NamedRequest, Upstream } from '../servers/upstream.ts';
import type { PolicyTable, RetryCounters, Route } from './policy-table.ts';
import { Refusals } from './refusals.ts';
import { Replier } from './replier.ts';
import { type ReplySink, Request } from './request.ts';
import { type NextStep, Retries, type RetryLimits } from './retries.ts';
import { WaitingRoom, type WaitingRoomLimits } from './waiting/waiting-room.ts';
import type { Addressee, RequestWatch } from './watch.ts';

/** `startupMs`: so long after the start a policy without a server is taken for one whose servers are about to register. */
export type ForwarderLimits = WaitingRoomLimits & RetryLimits & Pick<ProxyOptions, 'startupMs'>;

/** The health checker, as the forwarder knows it. */
export type TrafficJudge = Pick<HealthChecker, 'onBroke' | 'onFailure' | 'onSilence' | 'onTrialPassed'>;

export type ForwarderEvents = {
  /** A server is leaving, and its last request has been answered. */
  onDrained(upstream: Upstream): void;
  /** A request has broken its connection to each of the servers that it was tried on, and is given up. */
  onCulprit(request: Request): void;
};

export type ForwarderCounters = RetryCounters & {
  requests: number;
  answered: number;
  /** Answers to requests that had their reply already; never handed to a client. */
  lateAnswers: number;
  /** Answers with another client's id; never handed to a client. */
  slippedAnswers: number;
  /** Connections to servers that failed since this machine had run out of something. */
  localFailures: number;
  /** Requests that ended with a refusal, by its code. */
  errors: Record<string, number>;
  /** Refusals that answer no request, by their code: of bytes, packets, registrations and connections. */
  refusals: Record<string, number>;
};

/** Decides whether `answer` (latin1) is right for `payload`; null where answers are not verified. */
export type Verify = ((payload: string, answer: string) => boolean) | null;

export class Forwarder implements TrafficObserver {
  readonly counters: ForwarderCounters;
  readonly traffic: Traffic<Request>;
  isStopAnnounced = false;
  isDraining = false;
  readonly #table: PolicyTable;
  readonly #limits: ForwarderLimits;
  readonly #checker: TrafficJudge;
  readonly #events: ForwarderEvents;
  readonly #verify: Verify;
  readonly #now: () => number;
  readonly #lonePlaces: Pick<LonePlaces, 'hasRoom'>;
  readonly #refusals: Refusals;
  readonly #watch: RequestWatch | null;
  readonly #deadlines = new DeadlineQueue<Request>();
  /** Those that a sweep has to look at: thousands of others may be idle. */
  readonly #busy = new Set<Upstream>();
  readonly #replier: Replier;
  readonly #waitingRoom: WaitingRoom;
  readonly #retries: Retries;
  readonly #startedMs: number;
  /** Those that our own lack has kept from a server, or that wait for a place alone: each is sent on at the next sweep. */
  #lacking: Request[] = [];

  constructor(
    table: PolicyTable,
    limits: ForwarderLimits,
    checker: TrafficJudge,
    events: ForwarderEvents,
    verify: Verify,
    now: () => number,
    lonePlaces: Pick<LonePlaces, 'hasRoom'>,
    watch: RequestWatch | null = null,
    refusals = new Refusals('', null, watch),
  ) {
    this.counters = {
      requests: 0,
      answered: 0,
      retries: 0,
      moves: 0,
      retryReasons: {},
      lateAnswers: 0,
      slippedAnswers: 0,
      localFailures: 0,
      errors: refusals.ofRequests,
      refusals: refusals.ofOthers,
    };
    this.#table = table;
    this.#limits = limits;
    this.#checker = checker;
    this.#events = events;
    this.#verify = verify;
    this.#now = now;
    this.#lonePlaces = lonePlaces;
    this.#refusals = refusals;
    this.#watch = watch;
    this.#startedMs = now();
    this.traffic = new Traffic(now, limits.requestTimeoutMs);
    this.#replier = new Replier(refusals, watch);
    this.#waitingRoom = new WaitingRoom(limits, this.#replier, this.counters, lonePlaces);
    this.#retries = new Retries(limits, this.counters, this.#replier, lonePlaces, events.onCulprit);
  }

  get openRequests(): number {
    return this.#deadlines.countOpen();
  }

  /** Notes the refusal of what is no request. @returns the id for it */
  noteRefusal(code: ErrorCode, whom: Addressee): string {
    return this.#refusals.note(code, whom);
  }

  /** It serves on, and clients learn from each reply that it will stop soon, and which proxies (host:port) are left. */
  announceStop(otherProxies: readonly string[]): void {
    this.isStopAnnounced = true;
    this.#replier.announceStop(otherProxies);
  }

  /** From now on every new request is refused with SHUTTING_DOWN. */
  drain(): void {
    this.isDraining = true;
  }

  /**
   * Sends a client's request on its way; its reply comes through `client.deliver`, perhaps before this returns.
   * @param wire the request's bytes as latin1, ending in `\n`
   */
  forward(
    client: ReplySink,
    { clientId, policy, payload }: RequestPacket,
    wire: string,
    nowMs: number,
  ): void {
    const deadlineMs = nowMs + this.#limits.requestTimeoutMs;
    const kept = this.#verify === null ? null : payload;
    const request = new Request(client, clientId, policy, wire, kept, deadlineMs);
    const known = this.#table.route(policy);
    // A policy that no server was registered for may be what a client has made up.
    request.traffic = known?.traffic ?? this.traffic.find(policy);
    this.counters.requests += 1;
    client.expect(request);
    if (this.isDraining) {
      this.#replier.shutDown(request);
      return;
    }
    this.#deadlines.push(request);
    this.#dispatch(known ?? this.#expectRoute(policy, nowMs), request, nowMs);
  }

  #expectRoute(policy: string, nowMs: number): Route | undefined {
    if (nowMs - this.#startedMs >= this.#limits.startupMs) return undefined;
    return this.#table.expect(policy, nowMs);
  }

  #dispatch(route: Route | undefined, request: Request, nowMs: number): void {
    if (request.trouble?.isAlone === true && !this.#lonePlaces.hasRoom(request.policy)) {
      this.#lacking.push(request);
      return;
    }
    if (route !== undefined && route.waiting.length === 0) {
      const outcome = route.handToNext(request, this.counters, nowMs);
      if (outcome === 'spent') this.#replier.giveUp(request);
      if (outcome !== 'none') return;
    }
    this.#waitingRoom.admit(request, route, nowMs);
  }

  /** The servers of a route have changed: each request that waits is served, waits on, or is refused. */
  routeChanged(route: Route): void {
    if (route.upstreams.length > 0) route.traffic ??= this.traffic.of(route.policy);
    this.#waitingRoom.serve(route, this.#now());
    this.#replier.flush();
  }

  onAnswer(upstream: Upstream, request: Request, answer: string, nowMs: number): boolean {
    if (request.isDone) {
      request.traffic?.late(request, upstream, nowMs);
      this.counters.lateAnswers += 1;
      return true;
    }
    if (this.#verify !== null && !this.#verify(request.payload ?? '', answer)) {
      this.#fail(upstream, 'wrong-digest', request);
      if (this.#watch !== null) this.#watch.onAttemptFailed(request, upstream, 'wrong-digest');
      this.#follow(this.#afterAttempt(request, upstream, 'wrong-digest', nowMs), request, nowMs);
      return false;
    }
    upstream.tally.served += 1;
    if (upstream.health.state === 'trial') this.#checker.onTrialPassed(upstream);
    this.counters.answered += 1;
    request.traffic?.answered(request, upstream, nowMs);
    if (this.#watch !== null) this.#watch.onAnswered(request, upstream, nowMs - this.#arrivedMs(request));
    this.#replier.reply(request, answer);
    return true;
  }

  #arrivedMs({ deadlineMs }: Request): number {
    return deadlineMs - this.#limits.requestTimeoutMs;
  }

  onBusy(upstream: Upstream): void {
    this.#busy.add(upstream);
  }

  /** It goes on purpose: it is reported as drained once nothing is in flight on it. */
  onLeaving(upstream: Upstream): void {
    this.#busy.add(upstream);
  }

  // A server has room again, or is gone.
  onAnswersEnd({ policy }: Upstream): void {
    const route = this.#table.route(policy);
    if (route !== undefined && route.waiting.length > 0) this.#waitingRoom.serve(route, this.#now());
    this.#replier.flush();
  }

  onSilence(upstream: Upstream, silence: Silence): void {
    if (silence.isNews) this.#checker.onSilence(upstream, nameOf(silence.first));
    const route = this.#table.route(upstream.policy);
    if (route !== undefined) this.#retries.duringSilence(route, upstream, silence, this.#now());
  }

  // What was silent before a trial is what the trial is for.
  onGivenUp(upstream: Upstream, first: Request, sinceMs: number): void {
    if (upstream.health.state === 'trial' && sinceMs < upstream.health.sinceMs) return;
    this.#fail(upstream, 'silent', first);
  }

  // A kept connection answers in order: its first request is the one that was being worked on, and alone is held against it.
  onBroken(
    upstream: Upstream,
    failure: FailureKind,
    unanswered: readonly Request[],
    wasConnected: boolean,
  ): void {
    const nowMs = this.#now();
    if (failure === 'slipped') this.counters.slippedAnswers += 1;
    if (failure === 'local') this.counters.localFailures += 1;
    const first = unanswered[0] ?? null;
    if (first !== null && wasConnected && first.reply === null)
      this.#checker.onBroke(upstream, { ...nameOf(first), atMs: nowMs });
    // The report goes first, so that a retry does not meet the same server again.
    const isReported = failure === 'slipped' || unanswered.some(({ isDone }) => !isDone);
    if (isReported && blameOf(failure) === 'server') this.#fail(upstream, failure, first);
    for (const request of unanswered) {
      if (request.isDone) continue;
      if (this.#watch !== null) this.#watch.onAttemptFailed(request, upstream, failure);
      if (failure === 'congested') this.#readmit(request, nowMs);
      else if (failure === 'local') this.#sendOnLater(request, upstream, nowMs);
      else
        this.#follow(
          this.#afterBreak(request, upstream, failure, wasConnected && first, nowMs),
          request,
          nowMs,
        );
    }
    if (failure === 'local') this.#replier.flush();
    else this.onAnswersEnd(upstream);
  }

  // The system tells of its lack before anything else runs: to try the next server at once, request after request, would
  // keep connections from being closed, and deadlines from being seen, for as long as there are requests.
  #sendOnLater(request: Request, upstream: Upstream, nowMs: number): void {
    const step = this.#afterNothingSent(request, upstream, 'local', nowMs);
    if (step === 'dispatch') this.#lacking.push(request);
    else this.#follow(step, request, nowMs);
  }

  #sendOn(nowMs: number): void {
    if (this.#lacking.length === 0) return;
    const lacking = this.#lacking;
    this.#lacking = [];
    for (const request of lacking)
      if (!this.#replier.isOver(request)) this.#follow('dispatch', request, nowMs);
  }

  // `attempted` is the request that the server was working on; false where the connection never stood.
  #afterBreak(
    request: Request,
    upstream: Upstream,
    failure: FailureKind,
    attempted: Request | null | false,
    nowMs: number,
  ): NextStep {
    if (attempted === false) return this.#afterNothingSent(request, upstream, failure, nowMs);
    return request === attempted && failure !== 'distrusted'
      ? this.#afterAttempt(request, upstream, failure, nowMs)
      : this.#retries.afterWaiting(request, upstream, failure);
  }

  #afterAttempt(request: Request, upstream: Upstream, failure: FailureKind, nowMs: number): NextStep {
    return this.#retries.afterAttempt(this.#table.route(request.policy), request, upstream, failure, nowMs);
  }

  #afterNothingSent(request: Request, upstream: Upstream, failure: FailureKind, nowMs: number): NextStep {
    const route = this.#table.route(request.policy);
    return this.#retries.afterNothingSent(route, request, upstream, failure, nowMs);
  }

  #follow(step: NextStep, request: Request, nowMs: number): void {
    if (step === 'dispatch') this.#dispatch(this.#table.route(request.policy), request, nowMs);
    else if (step === 'give-up') this.#replier.giveUp(request);
  }

  #fail(upstream: Upstream, failure: FailureKind, request: Request | null): void {
    upstream.tally.failed += 1;
    this.#checker.onFailure(upstream, failure, request === null ? null : nameOf(request));
  }

  #readmit(request: Request, nowMs: number): void {
    const route = this.#table.route(request.policy);
    this.#retries.forgetHedge(request);
    if (request.placements > 0) return;
    if (route === undefined) this.#waitingRoom.admit(request, route, nowMs);
    else this.#waitingRoom.readmit(request, route);
  }

  /**
   * Ends what has waited too long: attempts, holds and whole requests. Called every few milliseconds.
   * @param asOfMs all that had come by then is dealt with: what has not come is judged as of that time
   */
  sweep(asOfMs: number): void {
    // What it was on stays: others wait there, and with no other server ready they may still be answered. Nothing new joins
    // them, and an answer to this one, should it come, finds the request done.
    while (this.#deadlines.hasExpired(asOfMs))
      this.#replier.timeOut(this.#deadlines.peek() as Request, this.#limits.requestTimeoutMs);
    // This process may have stood still since: what is sent now is dated now.
    const nowMs = this.#now();
    this.#sendOn(nowMs);
    for (const route of this.#table.routes) {
      if (route.waiting.length > 0) this.#waitingRoom.sweep(route, asOfMs, nowMs);
    }
    for (const upstream of this.#busy) this.#sweepUpstream(upstream, asOfMs);
    this.#retries.endSweep();
    this.#replier.flush();
  }

  /** There is no time left: refuses every request that is still open. */
  refuseOpen(): void {
    for (let request = this.#deadlines.peek(); request !== undefined; request = this.#deadlines.peek())
      this.#replier.shutDown(request);
    this.#replier.flush();
  }

  #sweepUpstream(upstream: Upstream, asOfMs: number): void {
    if (upstream.pool?.sweep(asOfMs) !== true) this.#busy.delete(upstream);
    const isDrained = upstream.tally.inFlight === 0 && upstream.health.state === 'leaving';
    if (isDrained && this.#table.has(upstream)) this.#events.onDrained(upstream);
  }
}

function nameOf({ clientId, wire }: Request): NamedRequest {
  return { clientId, bytes: wire.length };
}
