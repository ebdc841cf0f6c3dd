// pure · the proxies that a client knows: which of them are good, and when one that failed is tried again.
import { doubledMs } from '../shared/backoff.ts';
import type { HostPort } from '../shared/config.ts';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
// A proxy names others in its replies, and is not trusted with all of our memory.
const MAX_KNOWN = 256;

type Entry = {
  /** An address, where names have been looked up. */
  readonly host: string;
  readonly port: number;
  /** The name that it was found by, which its certificate is for. */
  readonly name: string;
  /** It was reached, and has not failed since. */
  isGood: boolean;
  /** How often it has failed, or was tried again, since its last reply. */
  failures: number;
  /** When it is to be tried again, in ms of the clock. */
  tryAtMs: number;
  /** It stands behind a name; any other is forgotten when it has failed. */
  isListed: boolean;
};

export type KnownProxy = Readonly<Entry>;

/** The one writer of what is known of proxies. */
export class KnownProxies {
  /** More than one was known at some time: what one does not answer, another may. */
  hasSeveral = false;
  readonly #entries: Entry[] = [];
  readonly #now: () => number;
  readonly #random: () => number;
  // Of many clients that start with the same list, not all begin at its head.
  #turn: number;

  /**
   * @param now    a clock in ms
   * @param random from 0 up to 1
   */
  constructor(now: () => number = () => performance.now(), random: () => number = Math.random) {
    this.#now = now;
    this.#random = random;
    this.#turn = Math.floor(random() * MAX_KNOWN);
  }

  get all(): readonly KnownProxy[] {
    return this.#entries;
  }

  get goodCount(): number {
    return this.#entries.filter(({ isGood }) => isGood).length;
  }

  /** Whether a good one is known besides `proxy`. */
  hasGoodBeside(proxy: KnownProxy): boolean {
    return this.#entries.some((entry) => entry.isGood && entry !== proxy);
  }

  /** Takes note of what stands behind a name now. What stood there before is forgotten, unless it is good. */
  list({ host: name, port }: HostPort, addresses: readonly string[]): void {
    const before = this.#entries.filter(
      (entry) => entry.name === name && entry.port === port && entry.isListed,
    );
    for (const entry of before) entry.isListed = false;
    for (const host of addresses) this.#add({ host, port }, name).isListed = true;
    for (const entry of before) this.#forgetUnlessOfUse(entry);
  }

  /** Takes note of proxies that `by` has named in a reply. */
  hear(by: KnownProxy, proxies: readonly HostPort[]): void {
    for (const proxy of proxies) if (this.#entries.length < MAX_KNOWN) this.#add(proxy, by.name);
  }

  /**
   * Chooses where the next connection goes: the good ones in turn; where there is none, those behind the names in turn; and only then
   * those that a proxy has named. Behind a balancer these may be addresses that can't be reached from here, and never were.
   * @param except those that are not wanted
   * @returns null when there is none but those
   */
  pick(except: ReadonlySet<KnownProxy> = new Set()): KnownProxy | null {
    const isWanted = (entry: Entry): boolean => !except.has(entry);
    return (
      this.#next((entry) => entry.isGood && isWanted(entry)) ??
      this.#next((entry) => entry.isListed && isWanted(entry)) ??
      this.#next(isWanted)
    );
  }

  /** Takes those that are not good and whose time has come, each of them once in its wait, which grows. */
  takeDue(): KnownProxy[] {
    const nowMs = this.#now();
    const due = this.#entries.filter(({ isGood, tryAtMs }) => !isGood && tryAtMs <= nowMs);
    for (const entry of due) this.#postpone(entry);
    return due;
  }

  /** It was tried, and a connection stands. */
  reached(proxy: KnownProxy): void {
    (proxy as Entry).isGood = this.#entries.includes(proxy as Entry);
  }

  /** It has answered and stays: the next failure is its first. */
  replied(proxy: KnownProxy): void {
    (proxy as Entry).failures = 0;
  }

  /** It refused, broke or kept silent, or says that it leaves. Those that failed before go on waiting. */
  failed(proxy: KnownProxy): void {
    const entry = proxy as Entry;
    if (entry.isGood) this.#postpone(entry);
    entry.isGood = false;
    this.#forgetUnlessOfUse(entry);
  }

  #add({ host, port }: HostPort, name: string): Entry {
    const known = this.#entries.find((entry) => entry.host === host && entry.port === port);
    if (known !== undefined) return known;
    const entry = { host, port, name, isGood: false, failures: 0, tryAtMs: this.#now(), isListed: false };
    this.#entries.push(entry);
    this.hasSeveral ||= this.#entries.length > 1;
    return entry;
  }

  #forgetUnlessOfUse(entry: Entry): void {
    const at = this.#entries.indexOf(entry);
    if (at !== -1 && !entry.isListed && !entry.isGood) this.#entries.splice(at, 1);
  }

  #next(isWanted: (entry: Entry) => boolean): Entry | null {
    const { length } = this.#entries;
    for (let i = 0; i < length; i += 1) {
      const at = (this.#turn + i) % length;
      const entry = this.#entries[at] as Entry;
      if (!isWanted(entry)) continue;
      this.#turn = at + 1;
      return entry;
    }
    return null;
  }

  #postpone(entry: Entry): void {
    entry.failures += 1;
    entry.tryAtMs = this.#now() + doubledMs(FIRST_WAIT_MS, LONGEST_WAIT_MS, entry.failures, this.#random());
  }
}
