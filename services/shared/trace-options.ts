// Where the spans of a role are sent: an option of each, with the variable that OpenTelemetry's own programs read.
import { UsageError } from './config.ts';

export const TRACE_OPTIONS = {
  'trace-endpoint': {
    type: 'string',
    describe:
      'URL of a collector of spans, by OTLP over HTTP, as http://127.0.0.1:4318 (OTEL_EXPORTER_OTLP_ENDPOINT); none for no tracing',
  },
} as const;

/**
 * @param value what the command line or the role's own variable says
 * @returns null when neither they nor OTEL_EXPORTER_OTLP_ENDPOINT name one
 * @throws UsageError when it is no URL of HTTP
 */
export function readTraceEndpoint(value: unknown, environment: NodeJS.ProcessEnv = process.env): URL | null {
  const text = value || environment.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (!text) return null;
  const url = URL.parse(String(text));
  if (url !== null && /^https?:$/.test(url.protocol)) return url;
  throw new UsageError(`--trace-endpoint is "${text}": it must be a URL, for example http://127.0.0.1:4318.`);
}
