// The one reply to a request: an answer, or a refusal in a sentence. On the data path.
import { formatError, withProxies } from '../../shared/packet.ts';
import type { RequestRefusal } from '../metrics/traffic.ts';
import type { Refusals } from './refusals.ts';
import type { ReplySink, Request, TriedServer } from './request.ts';
import type { RequestWatch } from './watch.ts';

export class Replier {
  readonly #refusals: Refusals;
  readonly #watch: RequestWatch | null;
  #clients: ReplySink[] = [];
  /** As JSON; null while the proxy does not mean to stop. */
  #otherProxies: string | null = null;

  constructor(refusals: Refusals, watch: RequestWatch | null) {
    this.#refusals = refusals;
    this.#watch = watch;
  }

  /** Whether nothing is left to be done for it: it has its reply, or its client has gone. */
  isOver(request: Request): boolean {
    if (!request.isDone && request.client.isClosed) {
      request.reply = '';
      request.traffic?.unansweredWith(request, 'abandoned');
      if (this.#watch !== null) this.#watch.onAbandoned(request);
    }
    return request.isDone;
  }

  /** From now on every reply names the other proxies, host:port each: this one will stop soon. */
  announceStop(otherProxies: readonly string[]): void {
    this.#otherProxies = JSON.stringify(otherProxies);
  }

  /** Hands the reply (latin1) to the client, which writes it at the next `flush`: all replies of a chunk go out together. */
  reply(request: Request, reply: string): void {
    const { client } = request;
    request.reply = this.#otherProxies === null ? reply : withProxies(reply, this.#otherProxies);
    client.deliver(request);
    // Of a pipeline, many replies in a row are for one client.
    if (this.#clients[this.#clients.length - 1] !== client) this.#clients.push(client);
  }

  /** Has every client write what was handed to it since the last time. */
  flush(): void {
    if (this.#clients.length === 0) return;
    const clients = this.#clients;
    this.#clients = [];
    for (const client of clients) client.flush();
  }

  refuse(request: Request, code: RequestRefusal, sentence: string): void {
    request.traffic?.unansweredWith(request, code);
    const { clientId, policy, wasSent } = request;
    const trace = this.#refusals.noteRequest(request, code);
    const text = formatError(code, sentence, { clientId, policy, wasSent, trace });
    this.reply(request, Buffer.from(text).toString('latin1'));
  }

  /** No server can take it any more: says which ones have tried, or that there is none. */
  giveUp(request: Request): void {
    const { policy, wasSent } = request;
    const failed = serversOf(request);
    if (isOurLack(request)) {
      const lack = 'The proxy has run out of local ports, descriptors or memory and reached no server';
      this.refuse(request, 'OVERLOADED', `${lack} of policy ${policy}: try again later.`);
    } else if (failed === null) {
      const sentence = `No server is ready for policy ${policy}: start one, or try again later.`;
      this.refuse(request, 'NO_SERVER', sentence);
    } else {
      const names = failed.map(({ id }) => String(id)).join(', ');
      const outcome = wasSent ? 'it may have been executed' : 'nothing was sent';
      const sentence = `The servers tried for policy ${policy} failed (${names}); ${outcome}: try again.`;
      this.refuse(request, 'UPSTREAM_FAILED', sentence);
    }
  }

  /** Its time is up; `afterMs` is how long it had. */
  timeOut(request: Request, afterMs: number): void {
    const upstream = this.#awaited(request);
    if (isOurLack(request)) {
      this.giveUp(request);
      return;
    }
    const missing =
      upstream === null ? `a free server of policy ${request.policy}` : `server ${String(upstream.id)}`;
    const sentence = `No answer within ${afterMs / 1000} s, waiting for ${missing}: try again.`;
    this.refuse(request, 'UPSTREAM_TIMEOUT', sentence);
  }

  /** The proxy shuts down and can't wait any longer. */
  shutDown(request: Request): void {
    const upstream = this.#awaited(request);
    const silent = upstream === null ? '' : ` and server ${String(upstream.id)} has not answered`;
    const sentence = `The proxy is shutting down${silent}: try again in a few seconds.`;
    this.refuse(request, request.wasSent ? 'UPSTREAM_TIMEOUT' : 'SHUTTING_DOWN', sentence);
  }

  // The server that it is on, which may execute it yet; null where it waits for one.
  #awaited(request: Request): TriedServer | null {
    if (request.placements === 0) return null;
    request.wasSent = true;
    return request.upstream;
  }
}

// It has reached no server, since the proxy's machine had run out of something: none has kept it waiting.
function isOurLack({ trouble, wasSent }: Request): boolean {
  return trouble !== null && trouble.lackedMs !== null && !wasSent;
}

// Null when it was never handed to a server.
function serversOf({ trouble, upstream }: Request): readonly TriedServer[] | null {
  if (trouble === null) return upstream === null ? null : [upstream];
  const { tried, staleOn } = trouble;
  if (staleOn !== null && !tried.includes(staleOn)) return [staleOn, ...tried];
  return tried.length > 0 || upstream === null ? tried : [upstream];
}
