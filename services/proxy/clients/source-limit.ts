// How many connections one source may have.
import { plainHost, sourceOf } from '../network/sources.ts';

/** Of `--max-connections`, where nothing else is set: all clients behind a bridge or a load balancer have one address. */
const DEFAULT_SHARE = 0.9;

/** How many connections one source may have where there may be `maxConnections` in all. */
export function sourceLimit({
  maxConnectionsPerSource: limit,
  maxConnections,
}: {
  maxConnectionsPerSource: number;
  maxConnections: number;
}): number {
  return limit === 0 ? Math.ceil(maxConnections * DEFAULT_SHARE) : limit;
}

type Addressed = { readonly remoteAddress?: string | undefined };
/** A connection that is counted. `source` is written by the limit; null where it is not counted. */
export type Sourced = { readonly socket: Addressed; source: string | null };

export class SourceLimit {
  readonly limit: number;
  #counts: Map<string, number> | null = null;

  /** @param limit connections from one source */
  constructor(limit: number) {
    this.limit = limit;
  }

  /**
   * The source that a new connection would be one too many of; null when it may come in. Asking a connection for its
   * address costs a system call, so nothing is counted as long as all of them are fewer than one source may have.
   * @param connections all that are counted
   * @param newcomer    the socket of the new one
   */
  fullSource(connections: readonly Sourced[], newcomer: Addressed): string | null {
    if (connections.length < this.limit) {
      // Not at once: connections that come and go at the limit would have all of them counted again and again.
      if (connections.length < this.limit / 2) this.#counts = null;
      return null;
    }
    if (this.#counts === null) {
      this.#counts = new Map();
      for (const connection of connections) this.add(connection);
    }
    const source = sourceOf(plainHost(newcomer.remoteAddress ?? ''));
    return (this.#counts.get(source) ?? 0) >= this.limit ? source : null;
  }

  add(connection: Sourced): void {
    if (this.#counts === null) return;
    const source = sourceOf(plainHost(connection.socket.remoteAddress ?? ''));
    connection.source = source;
    this.#counts.set(source, (this.#counts.get(source) ?? 0) + 1);
  }

  delete({ source }: Sourced): void {
    if (this.#counts === null || source === null) return;
    const left = (this.#counts.get(source) ?? 1) - 1;
    if (left === 0) this.#counts.delete(source);
    else this.#counts.set(source, left);
  }
}
