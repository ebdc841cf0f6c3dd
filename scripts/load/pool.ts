// shell · the connections of a run: which one carries a request, and which ones stay open afterwards.
// When none is idle, another is opened: no request waits for a connection. One that broke is not replaced until a request
// needs it. What a burst opened beyond the limit is closed when it has not been needed for a second, and not at once: else
// a system that has fallen behind would have to take a new connection for every request, and never catch up.
import { type BreakReason, Connection, type ConnectionEvents, type Target } from '../kit/proxy-connection.ts';
import type { Exchange } from './exchange.ts';

type Carrier = Connection<Exchange>;

export type PoolEvents = {
  /** @returns whether the connection may carry another request */
  replied(exchange: Exchange, text: string, receivedMs: number): boolean;
  /** The connection broke before the reply. */
  failed(exchange: Exchange, reason: BreakReason): void;
  /** A frame came that no request was waiting for. */
  unasked(text: string): void;
};

export class ConnectionPool implements ConnectionEvents<Exchange> {
  readonly #target: Target;
  readonly #keepLimit: number;
  readonly #events: PoolEvents;
  readonly #all = new Set<Carrier>();
  readonly #idle: Carrier[] = [];
  // The smallest number of idle connections since the last `trim`: so many were not needed at all.
  #idleLow = 0;
  #openingCount = 0;
  #whenOpened = (): void => {};

  /** @param keepLimit how many connections stay open between requests; 0: none */
  constructor(target: Target, keepLimit: number, events: PoolEvents) {
    this.#target = target;
    this.#keepLimit = keepLimit;
    this.#events = events;
  }

  /** Opens the connections that are kept; resolves when each is open or has failed, at the latest after `timeoutMs`. */
  async warmUp(timeoutMs: number): Promise<void> {
    if (this.#keepLimit === 0) return;
    const opened = Promise.withResolvers<void>();
    this.#whenOpened = opened.resolve;
    this.#openingCount = this.#keepLimit;
    for (let i = 0; i < this.#keepLimit; i += 1) this.#open();
    const timer = setTimeout(opened.resolve, timeoutMs);
    await opened.promise;
    clearTimeout(timer);
  }

  /** Sends a request on the connection that has been idle longest, or on a new one. */
  send(exchange: Exchange): void {
    const connection = this.#idle.shift() ?? this.#open();
    if (this.#idle.length < this.#idleLow) this.#idleLow = this.#idle.length;
    connection.carried = exchange;
    exchange.connection = connection;
    connection.send(exchange.frame);
  }

  /** Closes the connection that carries `exchange`: a late reply reaches nothing any more. */
  abandon({ connection }: Exchange): void {
    if (connection !== null) this.#discard(connection);
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

  opened(connection: Carrier): void {
    if (connection.carried === null) this.#idle.push(connection);
    this.#countOpened();
  }

  replied(connection: Carrier, text: string, receivedMs: number): void {
    const exchange = connection.carried;
    connection.carried = null;
    if (exchange === null) this.#events.unasked(text);
    const isReusable = exchange !== null && this.#events.replied(exchange, text, receivedMs);
    if (isReusable && this.#keepLimit > 0) this.#idle.push(connection);
    else this.#discard(connection);
  }

  broke(connection: Carrier, reason: BreakReason): void {
    const exchange = connection.carried;
    this.#discard(connection);
    this.#countOpened();
    if (exchange !== null) this.#events.failed(exchange, reason);
  }

  #open(): Carrier {
    const connection = new Connection<Exchange>(this.#target, this);
    this.#all.add(connection);
    return connection;
  }

  #discard(connection: Carrier): void {
    connection.carried = null;
    connection.close();
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
  }

  #countOpened(): void {
    this.#openingCount -= 1;
    if (this.#openingCount === 0) this.#whenOpened();
  }
}
