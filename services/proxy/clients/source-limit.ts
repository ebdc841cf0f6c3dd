// pure · how many connections one source may have. Counts only once there are so many that one source could have too many.
import { plainHost, sourceOf } from './source.ts';

/** Of `--max-connections`, where nothing else is set: everybody behind a bridge or a load balancer has one address. */
const DEFAULT_SHARE = 0.9;

/** A connection that is counted. `source` is the limit's alone to write; null where it is not counted. */
export type Sourced = { readonly socket: Addressed; source: string | null };

type Addressed = { readonly remoteAddress?: string | undefined };

export class SourceLimit {
  readonly limit: number;
  #counts: Map<string, number> | null = null;

  /**
   * @param limit          connections from one source; 0 for nine tenths of all
   * @param maxConnections how many there may be in all
   */
  constructor(limit: number, maxConnections: number) {
    this.limit = limit === 0 ? Math.ceil(maxConnections * DEFAULT_SHARE) : limit;
  }

  /**
   * The source that a new connection would be one too many of; null when it may come in. Asking a connection for its
   * address costs a system call, so nothing is counted as long as all of them are fewer than one source may have.
   * @param connections all that are counted
   * @param newcomer    the socket of the new one
   */
  fullSource(connections: readonly Sourced[], newcomer: Addressed): string | null {
    if (connections.length < this.limit) {
      // Not at once: who comes and goes at the limit would have all of them counted again and again.
      if (connections.length < this.limit / 2) this.#counts = null;
      return null;
    }
    this.#counts ??= this.#countAll(connections);
    const source = sourceOf(plainHost(newcomer.remoteAddress ?? ''));
    return (this.#counts.get(source) ?? 0) >= this.limit ? source : null;
  }

  /** A connection has come in. */
  add(connection: Sourced): void {
    if (this.#counts !== null) this.#count(this.#counts, connection);
  }

  /** A connection has gone. */
  delete({ source }: Sourced): void {
    if (this.#counts === null || source === null) return;
    const left = (this.#counts.get(source) ?? 1) - 1;
    if (left === 0) this.#counts.delete(source);
    else this.#counts.set(source, left);
  }

  #countAll(connections: readonly Sourced[]): Map<string, number> {
    const counts = new Map<string, number>();
    for (const connection of connections) this.#count(counts, connection);
    return counts;
  }

  #count(counts: Map<string, number>, connection: Sourced): void {
    const source = sourceOf(plainHost(connection.socket.remoteAddress ?? ''));
    connection.source = source;
    counts.set(source, (counts.get(source) ?? 0) + 1);
  }
}
