// Which requests are traced, and their spans: one for the request, one for each server that it is handed to.
import type { ErrorCode } from '../../shared/error-codes.ts';
import { DEFAULT_MAX_FRAME_BYTES } from '../../shared/framing.ts';
import { formatTraceparent, traceOf, withTraceparent } from '../../shared/trace-context.ts';
import type { Span, Tracing } from '../../shared/tracing.ts';
import type { Request, TriedServer } from '../routing/request.ts';
import type { RequestWatch } from '../routing/watch.ts';
import type { FailureKind } from '../servers/failure.ts';
import type { Upstream } from '../servers/upstream.ts';

// Clients may ask for a trace of each request; so many of theirs and ours are made.
const TRACES_A_SECOND = 200;
// Room for the field, its name and what separates them.
const FIELD_BYTES = 80;

export type RequestTracingOptions = {
  /** Share of the requests that are traced, of those whose clients do not decide it. */
  share: number;
  /** How long a request has until its deadline, ms. */
  requestTimeoutMs: number;
};

type Attempt = { upstream: TriedServer; span: Span };
type Traced = { span: Span; attempts: Attempt[] };

export class RequestTracing implements RequestWatch {
  readonly #options: RequestTracingOptions;
  readonly #tracing: Pick<Tracing, 'begin'>;
  readonly #now: () => number;
  readonly #random: () => number;
  /** Those that are traced and have no reply yet. */
  readonly #traced = new Map<Request, Traced>();
  #begun = 0;

  constructor(
    options: RequestTracingOptions,
    tracing: Pick<Tracing, 'begin'>,
    now: () => number,
    random: () => number,
  ) {
    this.#options = options;
    this.#tracing = tracing;
    this.#now = now;
    this.#random = random;
  }

  onAttempt(request: Request, upstream: Upstream, nowMs: number): void {
    // What it was decided at its first attempt holds.
    const traced =
      request.upstream === null ? this.#beginIfWanted(request) : (this.#traced.get(request) ?? null);
    if (traced === null) return;
    const attributes = {
      'server.address': upstream.host,
      'server.port': upstream.port,
      'policy_proxy.server.id': String(upstream.id),
    };
    const span = this.#tracing.begin('attempt', 'client', traced.span.context, nowMs, attributes);
    traced.attempts.push({ upstream, span });
    // One that takes many requests on a connection cuts them by their braces. The others may read no more than they expect.
    const hasRoom = request.wire.length + FIELD_BYTES <= DEFAULT_MAX_FRAME_BYTES;
    if (upstream.keepsAlive && hasRoom)
      request.wire = withTraceparent(request.wire, formatTraceparent(span.context));
  }

  onAttemptFailed(request: Request, upstream: TriedServer, failure: FailureKind): void {
    const traced = this.#traced.get(request);
    const at = traced?.attempts.findIndex((attempt) => attempt.upstream === upstream) ?? -1;
    if (traced === undefined || at === -1) return;
    traced.attempts[at]?.span.end(null, failure, this.#now());
    traced.attempts.splice(at, 1);
  }

  onAnswered(request: Request, server: TriedServer): void {
    const traced = this.#traced.get(request);
    if (traced !== undefined) this.#end(request, traced, server, 'OK', null);
  }

  onRefused(request: Request, code: ErrorCode, trace: string): void {
    const traced = request.upstream === null ? this.#beginIfWanted(request) : this.#traced.get(request);
    if (traced != null) this.#end(request, traced, null, code, trace);
  }

  onAbandoned(request: Request): void {
    const traced = this.#traced.get(request);
    if (traced !== undefined) this.#end(request, traced, null, null, null);
  }

  onPacketRefused(): void {}

  nextSecond(): void {
    this.#begun = 0;
  }

  #beginIfWanted(request: Request): Traced | null {
    const { clientId, policy, wire, deadlineMs } = request;
    const parent = traceOf(wire);
    if (!(parent?.isSampled ?? this.#random() < this.#options.share)) return null;
    if (this.#begun >= TRACES_A_SECOND) return null;
    this.#begun += 1;
    const attributes = { 'policy_proxy.policy': policy, 'policy_proxy.client.id': String(clientId) };
    const startMs = deadlineMs - this.#options.requestTimeoutMs;
    const traced = {
      span: this.#tracing.begin('request', 'server', parent, startMs, attributes),
      attempts: [],
    };
    this.#traced.set(request, traced);
    return traced;
  }

  // A server that has not answered by then may still be at work: its span ends with the request.
  #end(
    request: Request,
    { span, attempts }: Traced,
    server: TriedServer | null,
    status: string | null,
    trace: string | null,
  ): void {
    this.#traced.delete(request);
    const nowMs = this.#now();
    // It may be on two connections to one server.
    const answered = attempts.findLast(({ upstream }) => upstream === server);
    for (const attempt of attempts) {
      if (attempt === answered) attempt.span.end('OK', null, nowMs);
      else attempt.span.end(null, 'unanswered', nowMs);
    }
    const error = status === 'OK' ? null : (status ?? 'abandoned');
    span.end(status, error, nowMs, trace === null ? {} : { 'policy_proxy.trace': trace });
  }
}
