// Makes the server known to every proxy behind one name, for as long as it runs.

import type { Resolve } from '../shared/addresses.ts';
import type { Clock } from '../shared/clock.ts';
import type { Line } from '../shared/log.ts';
import type { Id } from '../shared/packet.ts';
import { addressOf } from '../shared/printable.ts';
import type { DialTls } from '../shared/tls.ts';
import { backoffMs, jittered, REFUSED_MS, REPLACED_CAP_MS, replacedMs } from './backoff.ts';
import {
  type MakeSetup,
  openSession,
  SESSION_TIMES,
  type Session,
  type SessionEnd,
  type SessionTimes,
  TLS_SESSION_TIMES,
} from './session.ts';

/** The name is looked up again this often. */
export const LOOK_UP_MS = 5_000;

/** A session that ended sooner did not stand: the wait before the next try goes on growing. */
const STANDS_AFTER_MS = 1_000;

// Longer than the other one waits before it replaces this one again.
const FORGIVES_AFTER_MS = 2 * REPLACED_CAP_MS;

export type AnnounceOptions = {
  proxy: { host: string; port: number };
  serverId: Id;
  setup: MakeSetup;
  tls?: DialTls | null;
  resolve: Resolve;
  clock: Clock;
  log: (line: Line) => void;
  random?: () => number;
  times?: SessionTimes;
  lookUpMs?: number;
  refusedMs?: number;
};

/** What one address has come to, for the backoff and so that only changes are logged. */
type History = { failures: number; replaced: number; logged: string | null };

const MESSAGES: Partial<Record<SessionEnd['how'], string>> = {
  refused: 'the proxy refuses this server',
  replaced: 'another server has the id of this one',
  'no-tls': 'no TLS with the proxy',
};

export class Announcement {
  readonly #options: Required<AnnounceOptions>;
  readonly #sessions = new Map<string, Session | null>();
  readonly #rounds = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #listed: ReadonlySet<string> = new Set();
  #pendingLookUp: Promise<void> | null = null;

  constructor(options: AnnounceOptions) {
    this.#options = {
      random: Math.random,
      tls: null,
      times: options.tls == null ? SESSION_TIMES : TLS_SESSION_TIMES,
      lookUpMs: LOOK_UP_MS,
      refusedMs: REFUSED_MS,
      ...options,
    };
  }

  /** Looks the name up and registers, then goes on by itself. */
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
    const { proxy, random, lookUpMs } = this.#options;
    let isLogged = false;
    while (!this.#stop.signal.aborted) {
      await this.#lookUp();
      // With no address at all there is no session whose end would lead to the next look-up.
      const isLost = this.#sessions.size === 0;
      if (isLost && !isLogged) this.#log('warn', 'no address behind the name yet', proxy.host, {});
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
    const addresses = await this.#options.resolve(this.#options.proxy.host);
    // Unknown is not empty: a name without an answer may have one again in a moment.
    if (addresses === null || addresses.length === 0) return;
    this.#listed = new Set(addresses);
    for (const address of addresses) {
      if (this.#sessions.has(address) || this.#stop.signal.aborted) continue;
      this.#sessions.set(address, null);
      const rounds = this.#keepSession(address).finally(() => {
        this.#sessions.delete(address);
        this.#rounds.delete(rounds);
      });
      this.#rounds.add(rounds);
    }
  }

  async #keepSession(address: string): Promise<void> {
    const history: History = { failures: 0, replaced: 0, logged: null };
    while (!this.#stop.signal.aborted) {
      const end = await this.#live(address, history);
      if (this.#stop.signal.aborted) return;
      history.failures = end.livedMs >= STANDS_AFTER_MS ? 1 : history.failures + 1;
      if (end.livedMs >= FORGIVES_AFTER_MS) history.replaced = 0;
      if (end.how === 'replaced') history.replaced += 1;
      this.#logEnd(address, history, end);
      await this.#pause(this.#waitAfter(end, history));
      if (this.#stop.signal.aborted) return;
      // Not waited for: Docker's resolver may take its time just when the proxy restarts, at the address it had.
      void this.#lookUp();
      if (end.livedMs === 0 && !this.#listed.has(address)) return;
    }
  }

  #waitAfter({ how, livedMs }: SessionEnd, { failures, replaced }: History): number {
    const { random, refusedMs } = this.#options;
    if (how === 'replaced') return replacedMs(replaced, random());
    if (how === 'refused' || how === 'no-tls') return jittered(refusedMs, random());
    return backoffMs(failures, random(), livedMs > 0 && livedMs < STANDS_AFTER_MS);
  }

  #live(address: string, history: History): Promise<SessionEnd> {
    const session = openSession({
      ...this.#options,
      address,
      onRegistered: () => {
        if (history.logged === 'registered') return;
        history.logged = 'registered';
        this.#log('info', 'registered', address, history.failures > 0 ? { failures: history.failures } : {});
      },
    });
    this.#sessions.set(address, session);
    return session.ended;
  }

  // Proxies without sessions close at once after their reply, every time: no news.
  #logEnd(address: string, history: History, { how, why, livedMs }: SessionEnd): void {
    const message = MESSAGES[how] ?? 'no session with the proxy';
    const isNews = how === 'lost' ? livedMs >= STANDS_AFTER_MS : history.logged !== message;
    if (isNews) history.logged = message;
    this.#log(isNews ? 'warn' : 'debug', message, address, { why });
  }

  #log(level: Line['level'], message: string, host: string, details: object): void {
    this.#options.log({ level, message, proxy: addressOf(host, this.#options.proxy.port), ...details });
  }

  // `leave` cuts it short: the callers look at the signal next.
  #pause(ms: number): Promise<void> {
    return this.#options.clock.sleep(ms, this.#stop.signal).catch(() => {});
  }
}
