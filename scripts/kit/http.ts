// shell · one question over HTTP and its whole answer.
import { once } from 'node:events';
import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { text } from 'node:stream/consumers';

/**
 * Asks over a connection of its own. Not `fetch`: it refuses some ports, and the status port may be set to one
 * (https://fetch.spec.whatwg.org/#port-blocking).
 * @param options `signal` ends the wait for the answer
 * @param body    sent as JSON; nothing without it
 * @throws Error when there is no whole answer, whatever its status
 */
export async function askHttp(
  url: URL,
  options: Pick<RequestOptions, 'method' | 'headers'> & { signal: AbortSignal },
  body?: object,
): Promise<{ status: number; answer: string }> {
  const sent = request(url, { agent: false, ...options });
  // `once` stops listening when the signal fires, and only then does the request report the same.
  sent.on('error', () => {});
  sent.end(body && JSON.stringify(body));
  const [response] = (await once(sent, 'response', options)) as [IncomingMessage];
  return { status: response.statusCode ?? 0, answer: await text(response) };
}
