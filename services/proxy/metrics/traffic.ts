// What requests come to, counted in plain arrays and read when somebody asks. On the data path.
import type { ErrorCode } from '../../shared/error-codes.ts';
import type { Id } from '../../shared/packet.ts';
import { Histogram, usOf } from './histogram.ts';

// Labels are kept for ever, and a server may register for any policy.
const MAX_POLICIES = 256;
/** Stands for every policy that no server has registered for: what clients make up gets no label. No policy's name is empty. */
export const OTHER = '';

/** A request that is refused, by the code of the refusal. */
export type RequestRefusal = keyof typeof NO_REFUSALS & ErrorCode;
/** How a request ended; `abandoned`: its client had gone while it waited for a server. One that a server has is seen through. */
export type Outcome = 'answered' | keyof typeof NOTHING_UNANSWERED;

const NO_REFUSALS = {
  NO_SERVER: 0,
  OVERLOADED: 0,
  UPSTREAM_FAILED: 0,
  UPSTREAM_TIMEOUT: 0,
  SHUTTING_DOWN: 0,
};
const NOTHING_UNANSWERED = { abandoned: 0, ...NO_REFUSALS };

/** A request, as those see it who count and who watch. */
export type CountedRequest = {
  readonly clientId: Id | undefined;
  readonly policy: string;
  readonly wire: string;
  readonly deadlineMs: number;
  /** When it was last handed to a server, monotonic ms. */
  readonly attemptMs: number;
  /** The server that it was last handed to. */
  readonly upstream: { readonly id: Id } | null;
  readonly trouble: { readonly firstAttemptMs: number } | null;
};

type CountedServer = { readonly id: Id; readonly durations: { add(ms: number): void } };

/** One that has ended. Times are monotonic ms. */
export type Ending<R extends CountedRequest = CountedRequest> = {
  request: R;
  outcome: Outcome;
  /** Whose answer the client got. */
  server: { readonly id: Id } | null;
  arrivedMs: number;
  /** When it was first handed to a server; null when it never was. */
  firstAttemptMs: number | null;
  endedMs: number;
  /** How many it stands for: of those in other threads, watchers see some. */
  standsFor: number;
};

type Watcher = (ending: Ending) => void;
type Shared = { now: () => number; requestTimeoutMs: number; watchers: Watcher[] };

/** The counts of one policy's requests, on their way from one thread to another. */
export type TakenTraffic = {
  policy: string;
  unanswered: typeof NOTHING_UNANSWERED;
  request: Float64Array;
  upstream: Float64Array;
  queue: Float64Array;
};

/** The requests of one policy. */
export class PolicyTraffic {
  readonly policy: string;
  /** Requests that ended otherwise than with an answer. */
  readonly unanswered = { ...NOTHING_UNANSWERED };
  /** From when a request was read until its answer was there; only those that were answered. */
  readonly request = new Histogram();
  /** From the hand-over to a server until its answer, late ones included. */
  readonly upstream = new Histogram();
  /** From when a request was read until it was first handed to a server, or until its end where it never was. */
  readonly queue = new Histogram();
  readonly #shared: Shared;

  constructor(policy: string, shared: Shared) {
    this.policy = policy;
    this.#shared = shared;
  }

  /** Empties it. @returns what `add` of another thread's takes */
  take(): TakenTraffic {
    const { policy, request, upstream, queue } = this;
    const unanswered = { ...this.unanswered };
    Object.assign(this.unanswered, NOTHING_UNANSWERED);
    return { policy, unanswered, request: request.take(), upstream: upstream.take(), queue: queue.take() };
  }

  add({ unanswered, request, upstream, queue }: TakenTraffic): void {
    for (const outcome of Object.keys(unanswered) as (keyof typeof unanswered)[])
      this.unanswered[outcome] += unanswered[outcome];
    this.request.add(request);
    this.upstream.add(upstream);
    this.queue.add(queue);
  }

  answered(request: CountedRequest, server: CountedServer, nowMs: number): void {
    const arrivedMs = request.deadlineMs - this.#shared.requestTimeoutMs;
    const tookMs = nowMs - arrivedMs;
    const tookUs = usOf(tookMs);
    server.durations.add(tookMs);
    this.request.observeUs(tookUs);
    if (request.trouble === null) {
      const waitedUs = usOf(request.attemptMs - arrivedMs);
      this.queue.observeUs(waitedUs);
      this.upstream.observeUs(tookUs - waitedUs);
    } else {
      this.queue.observe(request.trouble.firstAttemptMs - arrivedMs);
      this.late(request, server, nowMs);
    }
    if (this.#shared.watchers.length > 0) this.#tell(request, 'answered', server, nowMs);
  }

  /** A server has answered after all, when the reply had gone already, or the client had. */
  late(request: CountedRequest, server: CountedServer, nowMs: number): void {
    // Where it was sent on meanwhile, the answer is from one that had it before.
    const isFromLast = request.upstream === server || request.trouble === null;
    this.upstream.observe(nowMs - (isFromLast ? request.attemptMs : request.trouble.firstAttemptMs));
  }

  unansweredWith(request: CountedRequest, outcome: Exclude<Outcome, 'answered'>): void {
    this.unanswered[outcome] += 1;
    const nowMs = this.#shared.now();
    const arrivedMs = request.deadlineMs - this.#shared.requestTimeoutMs;
    this.queue.observe((firstAttemptMs(request) ?? nowMs) - arrivedMs);
    if (this.#shared.watchers.length > 0) this.#tell(request, outcome, null, nowMs);
  }

  #tell(request: CountedRequest, outcome: Outcome, server: Ending['server'], endedMs: number): void {
    const arrivedMs = request.deadlineMs - this.#shared.requestTimeoutMs;
    const ending = {
      request,
      outcome,
      server,
      arrivedMs,
      firstAttemptMs: firstAttemptMs(request),
      endedMs,
      standsFor: 1,
    };
    for (const watcher of this.#shared.watchers) watcher(ending);
  }
}

function firstAttemptMs({ upstream, trouble, attemptMs }: CountedRequest): number | null {
  if (upstream === null) return null;
  return trouble === null ? attemptMs : trouble.firstAttemptMs;
}

/** The traffic of all policies. `R` is the proxy's request, which watchers get to see whole. */
export class Traffic<R extends CountedRequest = CountedRequest> {
  readonly #policies = new Map<string, PolicyTraffic>();
  readonly #shared: Shared;
  readonly other: PolicyTraffic;

  readonly #onWatched: (isWatched: boolean) => void;

  /**
   * @param now       monotonic ms
   * @param onWatched the first watcher has come, or the last has gone
   */
  constructor(
    now: () => number,
    requestTimeoutMs: number,
    onWatched: (isWatched: boolean) => void = () => {},
  ) {
    this.#shared = { now, requestTimeoutMs, watchers: [] };
    this.#onWatched = onWatched;
    this.other = this.of(OTHER);
  }

  get policies(): Iterable<PolicyTraffic> {
    return this.#policies.values();
  }

  /** The counts of a policy that a server has registered for; those of all others when there are too many policies. */
  of(policy: string): PolicyTraffic {
    const known = this.#policies.get(policy);
    if (known !== undefined) return known;
    if (this.#policies.size > MAX_POLICIES) return this.other;
    const traffic = new PolicyTraffic(policy, this.#shared);
    this.#policies.set(policy, traffic);
    return traffic;
  }

  /** The counts of a policy that a server was registered for at some time; those of all others when none was. */
  find(policy: string): PolicyTraffic {
    return this.#policies.get(policy) ?? this.other;
  }

  /** Calls `watcher` once for each request that ends, from within the data path, until the function returned is called. */
  watch(watcher: (ending: Ending<R>) => void): () => void {
    const { watchers } = this.#shared;
    const added = watcher as Watcher;
    watchers.push(added);
    if (watchers.length === 1) this.#onWatched(true);
    return () => {
      watchers.splice(watchers.indexOf(added), 1);
      if (watchers.length === 0) this.#onWatched(false);
    };
  }

  get isWatched(): boolean {
    return this.#shared.watchers.length > 0;
  }

  /** A request of another thread has ended. */
  tell(ending: Ending): void {
    for (const watcher of this.#shared.watchers) watcher(ending);
  }
}
