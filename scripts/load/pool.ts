// shell · the connections of a run: which one carries a request, and which ones stay open afterwards.
// Must never make a request wait for a connection: when none is idle, another is opened. One that broke is not
// replaced until a request needs it. With nothing to keep, that is one connection per request.
// What a burst opened beyond the limit is closed when it has not been needed for a second, and not at once:
// else a system that has fallen behind would have to take a new connection for every request, and never catch up.
import { type BreakReason, Connection, type ConnectionEvents, type Target } from './connection.ts';
import type { Exchange } from './exchange.ts';

export type PoolEvents = {
  /** @returns whether the connection may carry another request */
  replied(exchange: Exchange, text: string, receivedMs: number): boolean;
  /** The connection broke before the reply. */
  failed(exchange: Exchange, reason: BreakReason): void;
  /** A frame came that no request was waiting for. */
  unasked(text: string): void;
};

export class ConnectionPool {
  readonly #target: Target;
  readonly #keepLimit: number;
  readonly #events: PoolEvents;
  readonly #all = new Set<Connection>();
  readonly #idle: Connection[] = [];
  readonly #carriers = new Map<Exchange, Connection>();
  readonly #connectionEvents: ConnectionEvents = {
    opened: (connection) => this.#opened(connection),
    replied: (connection, text, receivedMs) => this.#replied(connection, text, receivedMs),
    broke: (connection, reason) => this.#broke(connection, reason),
  };
  // The smallest number of idle connections since the last `trim`: so many were not needed at all.
  #idleLow = 0;
  #openingCount = 0;
  #whenOpened: (() => void) | null = null;

  /** @param keepLimit how many connections stay open between requests; 0: none */
  constructor(target: Target, keepLimit: number, events: PoolEvents) {
    this.#target = target;
    this.#keepLimit = keepLimit;
    this.#events = events;
  }

  /** Opens the connections that are kept; resolves when each stands or has failed, at the latest after `timeoutMs`. */
  async warmUp(timeoutMs: number): Promise<void> {
    if (this.#keepLimit === 0) return;
    const opened = Promise.withResolvers<void>();
    this.#whenOpened = opened.resolve;
    this.#openingCount = this.#keepLimit;
    for (let i = 0; i < this.#keepLimit; i += 1) this.#open();
    const timer = setTimeout(opened.resolve, timeoutMs);
    await opened.promise;
    clearTimeout(timer);
    this.#whenOpened = null;
  }

  /** Sends `frame` on the connection that has been idle longest, or on a new one. */
  send(exchange: Exchange, frame: string): void {
    const connection = this.#idle.shift() ?? this.#open();
    if (this.#idle.length < this.#idleLow) this.#idleLow = this.#idle.length;
    connection.exchange = exchange;
    exchange.openedMs = connection.openedMs;
    this.#carriers.set(exchange, connection);
    connection.send(frame);
  }

  /** Closes the connection that carries `exchange`, so that a late reply reaches nobody. */
  abandon(exchange: Exchange): void {
    const connection = this.#carriers.get(exchange);
    this.#carriers.delete(exchange);
    if (connection !== undefined) this.#discard(connection);
  }

  /** Closes the connections beyond the limit that were idle ever since the last call. */
  trim(): void {
    const surplus = Math.min(this.#idleLow, this.#all.size - this.#keepLimit);
    for (const connection of this.#idle.slice(0, Math.max(0, surplus))) this.#discard(connection);
    this.#idleLow = this.#idle.length;
  }

  closeAll(): void {
    for (const connection of this.#all) this.#discard(connection);
  }

  #open(): Connection {
    const connection = new Connection(this.#target, this.#connectionEvents);
    this.#all.add(connection);
    return connection;
  }

  #opened(connection: Connection): void {
    if (connection.exchange === null) this.#idle.push(connection);
    else connection.exchange.openedMs = connection.openedMs;
    this.#countOpened();
  }

  #replied(connection: Connection, text: string, receivedMs: number): void {
    const exchange = connection.exchange;
    if (exchange === null) {
      this.#events.unasked(text);
      this.#discard(connection);
      return;
    }
    connection.exchange = null;
    this.#carriers.delete(exchange);
    const isReusable = this.#events.replied(exchange, text, receivedMs);
    if (isReusable && this.#keepLimit > 0) this.#idle.push(connection);
    else this.#discard(connection);
  }

  #broke(connection: Connection, reason: BreakReason): void {
    const exchange = connection.exchange;
    this.#discard(connection);
    this.#countOpened();
    if (exchange === null) return;
    this.#carriers.delete(exchange);
    this.#events.failed(exchange, reason);
  }

  #discard(connection: Connection): void {
    connection.exchange = null;
    connection.close();
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
  }

  #countOpened(): void {
    if (this.#whenOpened === null) return;
    this.#openingCount -= 1;
    if (this.#openingCount <= 0) this.#whenOpened();
  }
}
