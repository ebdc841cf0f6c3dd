// What the page asks of the proxy, one request at a time.
import type { Act, History, Sent, ServerDetail } from './contract.ts';

const TIMEOUT_MS = 10_000;

/** The last ten minutes; null when the proxy does not say. */
export function askHistory(): Promise<History | null> {
  return get<History>('/api/history');
}

/** One server with its history; null when there is none. */
export function askServer(policy: string, id: string): Promise<ServerDetail | null> {
  return get<ServerDetail>(`/api/servers/${encodeURIComponent(policy)}/${encodeURIComponent(id)}`);
}

async function get<T>(path: string): Promise<T | null> {
  try {
    const response = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return response.ok ? ((await response.json()) as T) : null;
  } catch {
    return null;
  }
}

/** @returns what became of the packet, or why it could not be sent, as a sentence */
export async function askToSend(packet: {
  policy: string;
  clientId: string;
  payload: string;
}): Promise<Sent | string> {
  try {
    const response = await post('/api/send', packet, {});
    const body = (await response.json()) as Sent & { error?: string };
    return response.ok ? body : (body.error ?? `The proxy answered ${response.status}.`);
  } catch (error) {
    return problemOf(error);
  }
}

/** @returns null when it is done; else why it is not, and whether the token was refused */
export async function askToAct(
  order: { act: Act; policy: string; id: string | number | undefined; by: string; reason: string },
  token: string,
): Promise<{ problem: string; isDenied: boolean } | null> {
  try {
    const headers: Record<string, string> = token === '' ? {} : { authorization: `Bearer ${token}` };
    const response = await post('/api/acts', order, headers);
    if (response.ok) return null;
    const body = (await response.json()) as { error?: string };
    const problem = body.error ?? `The proxy answered ${response.status}.`;
    return { problem, isDenied: response.status === 403 };
  } catch (error) {
    return { problem: problemOf(error), isDenied: false };
  }
}

function post(path: string, body: object, headers: Record<string, string>): Promise<Response> {
  return fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}

function problemOf(error: unknown): string {
  return error instanceof DOMException && error.name === 'TimeoutError'
    ? `No answer within ${TIMEOUT_MS / 1000} s.`
    : 'The proxy can not be reached.';
}
