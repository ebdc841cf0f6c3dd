// The workers of a keeper: starts, replaces and ends them, and waits for what they say.
import type { Clock } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { ConnectionRef, ToKeeper, ToWorker } from './messages.ts';
import type { RelayedConnection } from './relay.ts';
import type { WorkerStart } from './worker.ts';

// A report that has not come by then is waited for no more: its worker is busy, or stuck.
const REPORT_WITHIN_MS = 250;
// One that ends soon after its start is not replaced at once, again and again.
const REPLACE_AFTER_MS = 1000;

/** A worker that runs. */
export type Thread = {
  post(message: ToWorker): void;
  /** Ends it at once. */
  end(): Promise<unknown>;
};

/**
 * Starts a worker.
 * @param onMessage called with each of its messages
 * @param onGone    called once, when it has ended, for whatever reason; `why` is a clause
 */
export type Launch = (
  start: WorkerStart,
  onMessage: (message: ToKeeper) => void,
  onGone: (why: string) => void,
) => Thread;

export class Member {
  readonly index: number;
  readonly thread: Thread;
  readonly sinceMs: number;
  /** Its connections on which a setup packet has come. Written by the keeper. */
  readonly connections = new Map<ConnectionRef, RelayedConnection>();
  isListening = false;
  isGone = false;
  readonly #waiting = new Map<string, ((message: ToKeeper | null) => void)[]>();

  constructor(index: number, nowMs: number, launch: (member: Member) => Thread) {
    this.index = index;
    this.sinceMs = nowMs;
    this.thread = launch(this);
  }

  /** Resolves with the first message of this kind that nobody else waits for; null when it is gone before. */
  async next(kind: ToKeeper['kind']): Promise<ToKeeper | null> {
    if (this.isGone) return null;
    const waiting = this.#waiting.get(kind) ?? [];
    this.#waiting.set(kind, waiting);
    return new Promise((resolve) => waiting.push(resolve));
  }

  tell(message: ToKeeper): void {
    this.#waiting.get(message.kind)?.shift()?.(message);
  }

  leave(): void {
    this.isGone = true;
    for (const resolve of [...this.#waiting.values()].flat()) resolve(null);
  }
}

export type CrewEvents = {
  /** Comes before who waits for the message gets it. */
  onMessage(member: Member, message: ToKeeper): void;
  onGone(member: Member): void;
};

export class Crew {
  readonly #members: (Member | null)[];
  readonly #launch: Launch;
  readonly #startOf: (index: number, starts: number) => WorkerStart;
  readonly #briefing: () => Iterable<ToWorker>;
  readonly #events: CrewEvents;
  readonly #clock: Clock;
  readonly #log: Log;
  #starts = 0;
  #port = 0;
  #isEnding = false;

  /**
   * @param startOf  what the worker of a number is told when it is made; `starts` counts all so far
   * @param briefing what a new one has to be told to know what the others know
   */
  constructor(
    workers: number,
    launch: Launch,
    startOf: (index: number, starts: number) => WorkerStart,
    briefing: () => Iterable<ToWorker>,
    events: CrewEvents,
    clock: Clock,
    log: Log,
  ) {
    this.#members = Array<Member | null>(workers).fill(null);
    this.#launch = launch;
    this.#startOf = startOf;
    this.#briefing = briefing;
    this.#events = events;
    this.#clock = clock;
    this.#log = log;
  }

  get #present(): Member[] {
    return this.#members.filter((member) => member !== null);
  }

  get listening(): number {
    return this.#present.filter(({ isListening }) => isListening).length;
  }

  tellAll(message: ToWorker): void {
    for (const member of this.#members) member?.thread.post(message);
  }

  /** Resolves when all take messages. */
  async start(): Promise<void> {
    for (const index of this.#members.keys()) this.#start(index);
    await Promise.all(this.#present.map((member) => member.next('ready')));
  }

  /** Has all listen on a port that is claimed; rejects with the system's error when one can't. */
  async open(port: number): Promise<void> {
    const answers = await Promise.all(this.#members.map((member) => this.#open(member, port)));
    for (const answer of answers) {
      if (answer?.kind === 'opened') continue;
      if (answer?.kind !== 'unopened') throw new Error('a worker has ended');
      const { message, code, port: taken } = answer;
      throw Object.assign(new Error(message), { code, port: taken });
    }
    this.#port = port;
  }

  /** Resolves when all have reported what they have counted, or are too busy to. */
  async refresh(): Promise<void> {
    const reports = this.#present.map((member) => {
      member.thread.post({ kind: 'report' });
      return member.next('report');
    });
    await this.#atMost(REPORT_WITHIN_MS, reports);
  }

  /** Has all stop; resolves when they have, or their time is up. None is replaced any more. */
  async stop(otherProxies: readonly string[] | null, withinMs: number): Promise<void> {
    this.#isEnding = true;
    this.tellAll({ kind: 'stop', otherProxies });
    const closed = this.#present.map((member) => member.next('closed'));
    await this.#atMost(withinMs, closed);
  }

  /** Ends all at once. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(this.#present.map(({ thread }) => thread.end()));
  }

  // Waits for all, but no longer, and leaves no timer behind.
  async #atMost(ms: number, awaited: Promise<unknown>[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#clock.after(ms, resolve);
    await Promise.race([Promise.all(awaited), promise]);
    cancel();
  }

  #start(index: number): Member {
    this.#starts += 1;
    const start = this.#startOf(index, this.#starts);
    const member = new Member(index, this.#clock.now(), (made) =>
      this.#launch(
        start,
        (message) => this.#onMessage(made, message),
        (why) => this.#onGone(made, why),
      ),
    );
    this.#members[index] = member;
    for (const message of this.#briefing()) member.thread.post(message);
    return member;
  }

  async #open(member: Member | null, port: number): Promise<ToKeeper | null> {
    if (member === null) return null;
    const answer = Promise.race([member.next('opened'), member.next('unopened')]);
    member.thread.post({ kind: 'open', port });
    return answer;
  }

  #onMessage(member: Member, message: ToKeeper): void {
    if (member.isGone) return;
    if (message.kind === 'opened') member.isListening = true;
    this.#events.onMessage(member, message);
    member.tell(message);
  }

  #onGone(member: Member, why: string): void {
    if (member.isGone) return;
    this.#members[member.index] = null;
    member.leave();
    this.#events.onGone(member);
    // Before all listen, the start fails.
    if (this.#isEnding || this.#port === 0) return;
    const message = 'a worker has ended, and is replaced';
    this.#log({ level: 'error', message, worker: member.index, why });
    const livedMs = this.#clock.now() - member.sinceMs;
    this.#clock.after(
      livedMs < REPLACE_AFTER_MS ? REPLACE_AFTER_MS : 0,
      () => void this.#replace(member.index),
    );
  }

  async #replace(index: number): Promise<void> {
    if (this.#isEnding) return;
    const member = this.#start(index);
    const answer = await this.#open(member, this.#port);
    if (answer?.kind !== 'unopened') return;
    const message = 'a worker can not listen, and is replaced';
    this.#log({ level: 'error', message, worker: index, why: answer.message });
    await member.thread.end();
  }
}
