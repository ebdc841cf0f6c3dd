// A packet with its place in a trace, and the span of its exchange.
import type { HostPort } from '../shared/config.ts';
import { formatTraceparent, withTraceparent } from '../shared/trace-context.ts';
import type { Tracing } from '../shared/tracing.ts';
import type { Exchange } from './exchange.ts';

/**
 * Sends a packet as `send` does, within a span that begins a trace.
 * @param proxies where it may go, at least one; the first stands in the span until one has replied
 * @param bytes   the packet, which gets the field `traceparent`
 */
export async function sendTraced(
  tracing: Pick<Tracing, 'begin'>,
  proxies: readonly HostPort[],
  bytes: Buffer,
  send: (bytes: Buffer) => Promise<Exchange>,
): Promise<Exchange> {
  const [{ host, port }] = proxies as [HostPort];
  const span = tracing.begin('request', 'client', null, performance.now(), addressed(host, port));
  const wire = withTraceparent(bytes.toString('latin1'), formatTraceparent(span.context));
  const result = await send(Buffer.from(wire, 'latin1'));
  const { status, error } = outcomeOf(result);
  const { name, port: replied } = result.kind === 'reply' ? result.proxy : { name: host, port };
  span.end(status, error, performance.now(), addressed(name, replied));
  return result;
}

function addressed(host: string, port: number): Record<string, string | number> {
  return { 'server.address': host, 'server.port': port };
}

function outcomeOf(result: Exchange): { status: string | null; error: string | null } {
  if (result.kind === 'failed') return { status: null, error: 'no-reply' };
  const { packet } = result;
  if (packet.kind === 'error') return { status: packet.code, error: packet.code };
  return packet.kind === 'answer' ? { status: 'OK', error: null } : { status: null, error: packet.kind };
}
