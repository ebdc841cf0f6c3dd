// Spans by OpenTelemetry, sent to a collector by OTLP over HTTP. Its packages are loaded only where tracing is on.
import type { Attributes, Context, Tracer as SdkTracer, SpanKind } from '@opentelemetry/api';
import { UsageError } from './config.ts';
import type { Log } from './log.ts';
import type { TraceContext } from './trace-context.ts';
import { ownVersion } from './version.ts';

// Spans that wait for the collector; beyond, new ones are dropped.
const MAX_WAITING_SPANS = 2048;
const EXPORT_EVERY_MS = 1000;
const EXPORT_WITHIN_MS = 2000;
const MAX_TEXT = 256;

/** As the conventions of OpenTelemetry name what is called (RPC, stable since 1.45). */
const RPC = { 'rpc.system.name': 'policy-proxy', 'rpc.method': 'request' };

/** Options of what can be traced: the variable is that of OpenTelemetry's own programs. */
export const TRACE_OPTIONS = {
  'trace-endpoint': {
    type: 'string',
    describe:
      'URL of a collector of spans, by OTLP over HTTP, as http://127.0.0.1:4318 (OTEL_EXPORTER_OTLP_ENDPOINT); none for no tracing',
  },
} as const;

/**
 * What TRACE_OPTIONS came to.
 * @returns null when neither they nor OTEL_EXPORTER_OTLP_ENDPOINT name a collector
 * @throws UsageError when it is no URL of HTTP
 */
export function readTraceEndpoint(
  values: Record<string, unknown>,
  environment: NodeJS.ProcessEnv,
): URL | null {
  const text = values['trace-endpoint'] || environment.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (!text) return null;
  const url = URL.parse(String(text));
  if (url !== null && /^https?:$/.test(url.protocol)) return url;
  throw new UsageError(`--trace-endpoint is "${text}": it must be a URL, for example http://127.0.0.1:4318.`);
}

type SpanRole = 'server' | 'client';

export type Span = {
  readonly context: TraceContext;
  /**
   * @param status `OK` or the code of the refusal; null where there was no reply
   * @param error  what went wrong; null when nothing did
   * @param atMs   when, monotonic ms
   */
  end(status: string | null, error: string | null, atMs: number, attributes?: Attributes): void;
};

export type Tracing = {
  /**
   * Begins a span, which is recorded whatever its parent says.
   * @param role     who acts: `client` asks another program, `server` is asked
   * @param parent   what it belongs to; null where it begins a trace
   * @param startMs  monotonic ms
   */
  begin(
    name: string,
    role: SpanRole,
    parent: TraceContext | null,
    startMs: number,
    attributes?: Attributes,
  ): Span;
  /** Sends what has not been sent, for two seconds at most. */
  close(): Promise<void>;
};

/**
 * Loads OpenTelemetry, which takes some 200 ms of a processor.
 * @param service the role
 * @param log     is told when the collector can't be reached, once for each time
 * @param aheadMs how far the times that it is given are ahead of this thread's own
 */
export async function openTracing(service: string, endpoint: URL, log: Log, aheadMs = 0): Promise<Tracing> {
  const [{ ROOT_CONTEXT, SpanKind: kinds, SpanStatusCode, trace }, sdk, { OTLPTraceExporter }, resources] =
    await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ]);
  const url = new URL(`${endpoint.href.replace(/\/$/, '')}/v1/traces`).href;
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: EXPORT_WITHIN_MS });
  const send = exporter.export.bind(exporter);
  let isFailing = false;
  exporter.export = (spans, done) =>
    send(spans, (result) => {
      const wasFailing = isFailing;
      isFailing = result.error !== undefined;
      if (isFailing && !wasFailing)
        log({
          level: 'warn',
          message: 'spans can not be exported',
          to: endpoint.origin,
          why: result.error?.message,
        });
      done(result);
    });
  const provider = new sdk.TracerProvider({
    resource: resources.resourceFromAttributes({
      'service.name': service,
      'service.version': ownVersion(),
    }),
    // Who is traced is decided before a span is made.
    sampler: new sdk.AlwaysOnSampler(),
    spanLimits: { attributeValueLengthLimit: MAX_TEXT },
    spanProcessors: [
      new sdk.BatchSpanProcessor({
        exporter,
        maxQueueSize: MAX_WAITING_SPANS,
        scheduledDelayMillis: EXPORT_EVERY_MS,
        exportTimeoutMillis: EXPORT_WITHIN_MS,
      }),
    ],
  });
  const tracer: SdkTracer = provider.getTracer('policy-proxy', ownVersion());
  const kindOf: Record<SpanRole, SpanKind> = { server: kinds.SERVER, client: kinds.CLIENT };
  const contextOf = (parent: TraceContext | null): Context => {
    if (parent === null) return ROOT_CONTEXT;
    const { traceId, spanId } = parent;
    return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: 1, isRemote: true });
  };
  return {
    begin: (name, role, parent, startMs, attributes = {}) => {
      const options = {
        kind: kindOf[role],
        startTime: startMs - aheadMs,
        attributes: { ...RPC, ...attributes },
      };
      const span = tracer.startSpan(name, options, contextOf(parent));
      const { traceId, spanId } = span.spanContext();
      return {
        context: { traceId, spanId, isSampled: true },
        end: (status, error, atMs, more = {}) => {
          span.setAttributes(more);
          if (status !== null) span.setAttribute('rpc.response.status_code', status);
          if (error !== null)
            span.setAttribute('error.type', error).setStatus({ code: SpanStatusCode.ERROR });
          span.end(atMs - aheadMs);
        },
      };
    },
    close: () => provider.shutdown().catch(() => {}),
  };
}
