// Makes the server known to every proxy behind some names, for as long as it runs.

import type { Resolve } from '../shared/addresses.ts';
import { jittered } from '../shared/backoff.ts';
import type { Clock } from '../shared/clock.ts';
import type { HostPort } from '../shared/config.ts';
import type { Line } from '../shared/log.ts';
import type { Id } from '../shared/packet.ts';
import { addressOf } from '../shared/printable.ts';
import { type DialTls, dial } from '../shared/tls.ts';
import { backoffMs, REFUSED_MS, REPLACED_CAP_MS, replacedMs } from './backoff.ts';
import {
  type DialProxy,
  type MakeSetup,
  openSession,
  SESSION_TIMES,
  type Session,
  type SessionEnd,
  type SessionTimes,
  TLS_SESSION_TIMES,
} from './session.ts';

/** The names are looked up again this often: a new proxy lets its requests wait for a server for only a little longer. */
export const LOOK_UP_MS = 1_000;

/** A proxy that is known by another address is asked again after so many look-ups. */
const KNOWN_LOOK_UPS = 5;

/** A session that ended sooner did not stand: the wait before the next try goes on growing. */
const STANDS_AFTER_MS = 1_000;

// Longer than the other one waits before it replaces this one again.
const FORGIVES_AFTER_MS = 2 * REPLACED_CAP_MS;

/** One of the addresses behind a name. */
type Target = { proxy: HostPort; address: string };

export type AnnounceOptions = {
  proxies: readonly HostPort[];
  serverId: Id;
  setup: MakeSetup;
  tls?: DialTls | null;
  dial?: DialProxy;
  resolve: Resolve;
  clock: Clock;
  log: (line: Line) => void;
  random?: () => number;
  times?: SessionTimes;
  lookUpMs?: number;
  refusedMs?: number;
};

/** What one address has come to, for the backoff and so that only changes are logged. */
type History = { failures: number; replaced: number; logged: string | null; isExpected: boolean };

const MESSAGES: Partial<Record<SessionEnd['how'], string>> = {
  refused: 'the proxy refuses this server',
  replaced: 'another server has the id of this one',
  'no-tls': 'no TLS with the proxy',
  known: 'this proxy has a session already',
};

export class Announcement {
  readonly #options: Required<AnnounceOptions>;
  readonly #sessions = new Map<string, Session | null>();
  readonly #rounds = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  /** What each name stood for when it was last looked up with success. */
  readonly #listed = new Map<HostPort, readonly string[]>();
  #pendingLookUp: Promise<void> | null = null;

  constructor(options: AnnounceOptions) {
    this.#options = {
      random: Math.random,
      tls: null,
      dial,
      times: options.tls == null ? SESSION_TIMES : TLS_SESSION_TIMES,
      lookUpMs: LOOK_UP_MS,
      refusedMs: REFUSED_MS,
      ...options,
    };
  }

  /** Looks the names up and registers, then goes on by itself. */
  start(): void {
    void this.#keepLookingUp();
  }

  /**
   * Leaves every proxy: none sends new requests after it has read that.
   * Resolves when each has closed its session, which it does when its last request is answered.
   */
  async leave(deadlineMs: number): Promise<void> {
    this.#stop.abort();
    for (const session of this.#sessions.values()) session?.leave(deadlineMs);
    await Promise.all(this.#rounds);
  }

  async #keepLookingUp(): Promise<void> {
    const { proxies, random, lookUpMs } = this.#options;
    let isLogged = false;
    while (!this.#stop.signal.aborted) {
      await this.#lookUp();
      // With no address at all there is no session whose end would lead to the next look-up.
      const isLost = this.#sessions.size === 0;
      if (isLost && !isLogged) {
        const names = proxies.map(({ host, port }) => addressOf(host, port)).join(', ');
        this.#log('warn', 'no address behind the name yet', names, {});
      }
      isLogged = isLost;
      await this.#pause(isLost ? backoffMs(Infinity, random()) : lookUpMs);
    }
  }

  // Six sessions that break together make one query.
  #lookUp(): Promise<void> {
    this.#pendingLookUp ??= this.#refresh().finally(() => {
      this.#pendingLookUp = null;
    });
    return this.#pendingLookUp;
  }

  async #refresh(): Promise<void> {
    await Promise.all(this.#options.proxies.map((proxy) => this.#refreshName(proxy)));
  }

  async #refreshName(proxy: HostPort): Promise<void> {
    const addresses = await this.#options.resolve(proxy.host);
    // Unknown is not empty: a name without an answer may have one again in a moment.
    if (addresses === null || addresses.length === 0) return;
    this.#listed.set(proxy, addresses);
    for (const address of addresses) {
      const key = addressOf(address, proxy.port);
      if (this.#sessions.has(key) || this.#stop.signal.aborted) continue;
      this.#sessions.set(key, null);
      const rounds = this.#keepSession({ proxy, address }, key).finally(() => {
        this.#sessions.delete(key);
        this.#rounds.delete(rounds);
      });
      this.#rounds.add(rounds);
    }
  }

  // `key` names the proxy in the log, too.
  async #keepSession(target: Target, key: string): Promise<void> {
    const history: History = { failures: 0, replaced: 0, logged: null, isExpected: false };
    while (!this.#stop.signal.aborted) {
      const end = await this.#live(target, key, history);
      if (this.#stop.signal.aborted) return;
      history.failures = end.livedMs >= STANDS_AFTER_MS ? 1 : history.failures + 1;
      if (end.livedMs >= FORGIVES_AFTER_MS) history.replaced = 0;
      if (end.how === 'replaced') history.replaced += 1;
      this.#logEnd(key, history, end);
      await this.#pause(this.#waitAfter(end, history));
      if (this.#stop.signal.aborted) return;
      // Not waited for: Docker's resolver may take its time just when the proxy restarts, at the address it had.
      void this.#lookUp();
      if (end.livedMs === 0 && !this.#isListed(target)) return;
    }
  }

  #isListed({ proxy: { port }, address }: Target): boolean {
    for (const [proxy, addresses] of this.#listed)
      if (proxy.port === port && addresses.includes(address)) return true;
    return false;
  }

  #waitAfter({ how, livedMs }: SessionEnd, { failures, replaced }: History): number {
    const { random, refusedMs, lookUpMs } = this.#options;
    // The other address may fail, or come to be another proxy's.
    if (how === 'known') return jittered(KNOWN_LOOK_UPS * lookUpMs, random());
    if (how === 'replaced') return replacedMs(replaced, random());
    if (how === 'refused' || how === 'no-tls') return jittered(refusedMs, random());
    return backoffMs(failures, random(), livedMs > 0 && livedMs < STANDS_AFTER_MS);
  }

  #live({ proxy, address }: Target, key: string, history: History): Promise<SessionEnd> {
    const session = openSession({
      ...this.#options,
      proxy,
      address,
      sessionsWith: () => this.#boots(),
      onRegistered: () => {
        if (history.logged === 'registered') return;
        history.logged = 'registered';
        this.#log('info', 'registered', key, history.failures > 0 ? { failures: history.failures } : {});
      },
      // One that takes its place is found early.
      onLameDuck: () => {
        history.isExpected = true;
        this.#log('info', 'the proxy will stop soon', key, {});
        void this.#lookUp();
      },
    });
    this.#sessions.set(key, session);
    return session.ended;
  }

  #boots(): string[] {
    return [...this.#sessions.values()]
      .map((session) => session?.boot ?? null)
      .filter((boot) => boot !== null);
  }

  // Proxies without sessions close at once after their reply, every time: no news.
  #logEnd(key: string, history: History, { how, why, livedMs }: SessionEnd): void {
    const message = MESSAGES[how] ?? 'no session with the proxy';
    const isNews = how === 'lost' ? livedMs >= STANDS_AFTER_MS : history.logged !== message;
    if (isNews) history.logged = message;
    const level = how === 'known' || history.isExpected ? 'info' : 'warn';
    history.isExpected = false;
    this.#log(isNews ? level : 'debug', message, key, { why });
  }

  #log(level: Line['level'], message: string, proxy: string, details: object): void {
    this.#options.log({ level, message, proxy, ...details });
  }

  // `leave` cuts it short: the callers look at the signal next.
  #pause(ms: number): Promise<void> {
    return this.#options.clock.sleep(ms, this.#stop.signal).catch(() => {});
  }
}
