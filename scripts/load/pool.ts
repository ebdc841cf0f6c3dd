// shell · the connections of a run: which one carries a request, and which ones stay open afterwards.
// When none is idle, another is opened: no request waits for a connection. One that broke is not replaced until a request
// needs it. What a burst opened beyond the limit is closed when it has not been needed for a second, and not at once: else
// a system that has fallen behind would have to take a new connection for every request, and never catch up.
// With several proxies, connections go to the good ones in turn, and those that are kept move away from one that is not.
import type { KnownProxies, KnownProxy } from '../../services/client/known-proxies.ts';
import type { ProxyFinder } from '../../services/client/proxy-finder.ts';
import { proxiesNamedIn } from '../../services/shared/packet.ts';
import { addressOf } from '../../services/shared/printable.ts';
import type { DialTls } from '../../services/shared/tls.ts';
import { type BreakReason, Connection, type ConnectionEvents } from '../kit/proxy-connection.ts';
import type { Exchange } from './exchange.ts';

type Carrier = Connection<Exchange, KnownProxy>;

export type PoolEvents = {
  /** @returns whether the connection may carry another request */
  replied(exchange: Exchange, text: string, receivedMs: number): boolean;
  /** The connection broke before the reply. */
  failed(exchange: Exchange, reason: BreakReason): void;
  /** A frame came that no request was waiting for. */
  unasked(text: string): void;
};

/** Connections to one proxy, and the requests that closed ones have carried. */
type Tally = { open: number; requests: number };

export class ConnectionPool implements ConnectionEvents<Exchange, KnownProxy> {
  /** Kept connections that were closed because their proxy is no good, and another one is. */
  movedCount = 0;
  readonly #finder: ProxyFinder;
  readonly #proxies: KnownProxies;
  readonly #tls: DialTls | null;
  readonly #keepLimit: number;
  readonly #events: PoolEvents;
  readonly #tallies = new Map<KnownProxy, Tally>();
  readonly #all = new Set<Carrier>();
  readonly #idle: Carrier[] = [];
  // The smallest number of idle connections since the last `trim`: so many were not needed at all.
  #idleLow = 0;
  #openingCount = 0;
  #whenOpened = (): void => {};
  #isClosed = false;

  /**
   * @param finder    knows at least one proxy
   * @param keepLimit how many connections stay open between requests; 0: none
   */
  constructor(finder: ProxyFinder, tls: DialTls | null, keepLimit: number, events: PoolEvents) {
    this.#finder = finder;
    this.#proxies = finder.proxies;
    this.#tls = tls;
    this.#keepLimit = keepLimit;
    this.#events = events;
  }

  /** Opens the connections that are kept; resolves when each is open or has failed, at the latest after `timeoutMs`. */
  async warmUp(timeoutMs: number): Promise<void> {
    if (this.#keepLimit === 0) return;
    const opened = Promise.withResolvers<void>();
    this.#whenOpened = opened.resolve;
    this.#openingCount = this.#keepLimit;
    for (let i = 0; i < this.#keepLimit; i += 1) this.#open(this.#proxies.pick() as KnownProxy);
    const timer = setTimeout(opened.resolve, timeoutMs);
    await opened.promise;
    clearTimeout(timer);
  }

  /** Sends a request on the connection that has been idle longest, or on a new one; to another proxy than `emptyAt`, where there is a good one. */
  send(exchange: Exchange): void {
    const connection = this.#takeIdle(exchange.emptyAt) ?? this.#open(this.#pickFor(exchange.emptyAt));
    if (this.#idle.length < this.#idleLow) this.#idleLow = this.#idle.length;
    connection.carried = exchange;
    exchange.connection = connection;
    connection.send(exchange.frame);
  }

  #takeIdle(notAt: KnownProxy | null): Carrier | undefined {
    if (notAt === null) return this.#idle.shift();
    const at = this.#idle.findIndex(({ target }) => target !== notAt);
    return at === -1 ? undefined : this.#idle.splice(at, 1)[0];
  }

  #pickFor(notAt: KnownProxy | null): KnownProxy {
    const wanted = notAt !== null && this.#proxies.hasGoodBeside(notAt) ? new Set([notAt]) : undefined;
    return this.#proxies.pick(wanted) as KnownProxy;
  }

  /** Closes the connection that carries `exchange`: a late reply reaches nothing any more. */
  abandon({ connection }: Exchange): void {
    if (connection !== null) this.#discard(connection);
  }

  /** Sends nothing more to a proxy while another one is good. What it works on is still waited for. */
  leave(proxy: KnownProxy): void {
    const wasGood = proxy.isGood;
    this.#proxies.failed(proxy);
    if (!wasGood) return;
    this.#move();
    this.lookUp();
  }

  /** Looks for proxies that have come, by their names, and connects to them. */
  lookUp(): void {
    void this.#finder.lookUp().then(() => this.#tryAgain());
  }

  /** To be called about once a second. */
  keepUp(): void {
    this.#trim();
    this.#fill();
    if (this.#proxies.goodCount === 0) this.lookUp();
    else this.#tryAgain();
  }

  closeAll(): void {
    this.#isClosed = true;
    for (const connection of this.#all) this.#discard(connection);
  }

  /** How many requests were sent to each address, once all connections are closed; one sent again counts again. */
  requestsByProxy(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const [{ host, port }, { requests }] of this.#tallies) {
      const address = addressOf(host, port);
      counts[address] = (counts[address] ?? 0) + requests;
    }
    return counts;
  }

  opened(connection: Carrier): void {
    const { carried, target } = connection;
    if (carried === null) this.#idle.push(connection);
    this.#countOpened();
    // Of several, a request's connection proves nothing: it may have been begun before the proxy failed.
    if (target.isGood || (carried !== null && this.#proxies.hasSeveral)) return;
    this.#proxies.reached(target);
    this.#move();
    this.#fill();
  }

  replied(connection: Carrier, text: string, receivedMs: number): void {
    const { carried: exchange, target } = connection;
    connection.carried = null;
    const others = proxiesNamedIn(text);
    if (others !== null) {
      this.#finder.hear(target, others);
      this.leave(target);
    } else if (target.failures > 0) this.#proxies.replied(target);
    if (exchange === null) this.#events.unasked(text);
    const isReusable = exchange !== null && this.#events.replied(exchange, text, receivedMs);
    if (!isReusable || this.#keepLimit === 0) this.#discard(connection);
    else if (target.isGood || this.#proxies.goodCount === 0) this.#idle.push(connection);
    else {
      this.#discard(connection);
      this.movedCount += 1;
    }
  }

  broke(connection: Carrier, reason: BreakReason): void {
    const { carried: exchange, openedMs, target } = connection;
    this.#discard(connection);
    this.#countOpened();
    // A proxy may close what is idle, and lives on.
    const wasIdle = exchange === null && openedMs !== null;
    if (!wasIdle && reason !== 'no-local-resources') this.leave(target);
    if (exchange !== null) this.#events.failed(exchange, reason);
  }

  // Connects to proxies that are new, or have failed a while ago. None gets a request before a connection stands.
  #tryAgain(): void {
    if (!this.#proxies.hasSeveral || this.#isClosed) return;
    for (const proxy of this.#proxies.takeDue()) this.#open(proxy);
  }

  // Each good one of several is to have its share of the kept connections: at a rate that needs no new ones, it would get
  // no request any more after it has closed those that it had.
  #fill(): void {
    if (!this.#proxies.hasSeveral) return;
    const good = this.#proxies.all.filter(({ isGood }) => isGood);
    const share = Math.floor(this.#keepLimit / Math.max(1, good.length));
    for (const proxy of good) {
      for (let { open } = this.#tallyOf(proxy); open < share; open += 1) this.#open(proxy);
    }
  }

  // Closes the connections beyond the limit that were idle ever since the last call, of the proxies that have most.
  #trim(): void {
    const share = this.#keepLimit / Math.max(1, this.#proxies.goodCount);
    let surplus = Math.min(this.#idleLow, this.#all.size - this.#keepLimit);
    for (const connection of [...this.#idle]) {
      if (surplus <= 0) break;
      if (this.#tallyOf(connection.target).open <= share) continue;
      this.#discard(connection);
      surplus -= 1;
    }
    this.#idleLow = this.#idle.length;
  }

  // What is idle at a proxy that is not good, while another one is, closes: the next request opens a connection there.
  #move(): void {
    if (this.#proxies.goodCount === 0) return;
    for (const connection of this.#idle.filter(({ target }) => !target.isGood)) {
      this.#discard(connection);
      this.movedCount += 1;
    }
  }

  #open(proxy: KnownProxy): Carrier {
    const connection = new Connection<Exchange, KnownProxy>(proxy, this, this.#tls);
    this.#all.add(connection);
    this.#tallyOf(proxy).open += 1;
    return connection;
  }

  #discard(connection: Carrier): void {
    if (!this.#all.delete(connection)) return;
    const tally = this.#tallyOf(connection.target);
    tally.open -= 1;
    tally.requests += connection.sentCount;
    connection.carried = null;
    connection.close();
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
  }

  #tallyOf(proxy: KnownProxy): Tally {
    const tally = this.#tallies.get(proxy) ?? { open: 0, requests: 0 };
    this.#tallies.set(proxy, tally);
    return tally;
  }

  #countOpened(): void {
    this.#openingCount -= 1;
    if (this.#openingCount === 0) this.#whenOpened();
  }
}
