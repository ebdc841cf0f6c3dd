// A collector of spans, as far as tests need one: takes OTLP as JSON over HTTP, and keeps what it got.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { eventually } from './cluster.ts';

export type CollectedSpan = {
  service: string;
  name: string;
  /** As OTLP numbers them: 2 is a server, 3 a client. */
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId: string;
  isError: boolean;
  tookMs: number;
  attributes: Record<string, unknown>;
};

export type Collector = {
  endpoint: URL;
  spans: CollectedSpan[];
  /** Resolves with all spans once there are so many. */
  collected(count: number): Promise<CollectedSpan[]>;
};

type Value = { stringValue?: string; intValue?: string | number; doubleValue?: number };
type Attribute = { key: string; value: Value };
type OtlpSpan = {
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status?: { code?: number };
  attributes: Attribute[];
};
type OtlpTraces = {
  resourceSpans: { resource: { attributes: Attribute[] }; scopeSpans: { spans: OtlpSpan[] }[] }[];
};

const ERROR = 2;

/** Ends with the test. */
export async function startCollector(t: TestContext): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      const isRight = request.method === 'POST' && request.url === '/v1/traces';
      if (isRight) spans.push(...read(body as OtlpTraces));
      response.writeHead(isRight ? 200 : 404, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const endpoint = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const collected = async (count: number): Promise<CollectedSpan[]> => {
    await eventually(async () => spans.length >= count);
    return spans;
  };
  return { endpoint, spans, collected };
}

function read({ resourceSpans }: OtlpTraces): CollectedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(valuesOf(resource.attributes)['service.name']);
    return scopeSpans.flatMap(({ spans }) =>
      spans.map(({ name, kind, traceId, spanId, parentSpanId = '', ...span }) => {
        const tookMs = Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6;
        const isError = span.status?.code === ERROR;
        const attributes = valuesOf(span.attributes);
        return { service, name, kind, traceId, spanId, parentSpanId, isError, tookMs, attributes };
      }),
    );
  });
}

function valuesOf(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? value.doubleValue]),
  );
}
