// A packet with its place in a trace, and the span of its exchange.
import { formatTraceparent, withTraceparent } from '../shared/trace-context.ts';
import type { Tracing } from '../shared/tracing.ts';
import type { Exchange } from './exchange.ts';

/**
 * Sends a packet as `send` does, within a span that begins a trace.
 * @param bytes the packet, which gets the field `traceparent`
 */
export async function sendTraced(
  tracing: Pick<Tracing, 'begin'>,
  { host, port }: { host: string; port: number },
  bytes: Buffer,
  send: (bytes: Buffer) => Promise<Exchange>,
): Promise<Exchange> {
  const attributes = { 'server.address': host, 'server.port': port };
  const span = tracing.begin('request', 'client', null, performance.now(), attributes);
  const wire = withTraceparent(bytes.toString('latin1'), formatTraceparent(span.context));
  const result = await send(Buffer.from(wire, 'latin1'));
  const { status, error } = outcomeOf(result);
  span.end(status, error, performance.now());
  return result;
}

function outcomeOf(result: Exchange): { status: string | null; error: string | null } {
  if (result.kind === 'failed') return { status: null, error: 'no-reply' };
  const { packet } = result;
  if (packet.kind === 'error') return { status: packet.code, error: packet.code };
  return packet.kind === 'answer' ? { status: 'OK', error: null } : { status: null, error: packet.kind };
}
