// pure · the threads of a simulated proxy's process: each has sockets and timers of its own, and messages between them take a while.
import type { Launch } from '../../services/proxy/workers/crew.ts';
import type { ToKeeper, ToWorker } from '../../services/proxy/workers/messages.ts';
import { createWorker, type Worker } from '../../services/proxy/workers/worker.ts';
import { Host } from './host.ts';
import type { SimulatedProxy } from './proxy.ts';
import type { World } from './world.ts';

/** No message between threads takes longer. */
export const MESSAGE_MS = 10;
const USUAL_MS = 0.3;
const SLOW_ONE_IN = 10;

/** What serves requests: the only thread of a proxy, or one of its workers. */
export type Thread = { host: Host } & Worker['sources'];

/** A worker of a proxy with a keeper. */
export class WorkerThread implements Thread {
  readonly host: Host;
  readonly table: Thread['table'];
  readonly counters: Thread['counters'];
  readonly openRequests: Thread['openRequests'];
  readonly #world: World;
  readonly #toKeeper: Mailbox<ToKeeper>;
  readonly #toWorker: Mailbox<ToWorker>;
  readonly #onGone: (why: string) => void;
  /** It has said that it has closed everything. */
  hasClosed = false;

  constructor(proxy: SimulatedProxy, world: World, ...[start, onMessage, onGone]: Parameters<Launch>) {
    const { starts, host } = proxy;
    const { address } = host;
    // A keeper that is gone gets nothing, nor does the one after it.
    const isKept = (): boolean => proxy.isUp && proxy.starts === starts;
    this.#world = world;
    this.#onGone = (why) => {
      if (isKept()) onGone(why);
    };
    this.host = new Host(`${proxy.name}, worker ${start.index}`, address, world.timeline);
    this.#toKeeper = new Mailbox(world, host, (message) => {
      if (isKept()) onMessage(message);
    });
    const post = (message: ToKeeper): void => {
      if (message.kind === 'closed') this.hasClosed = true;
      this.#toKeeper.post(message);
    };
    const beside = { accessLogDropped: () => 0, close: async () => {} };
    const worker = createWorker(world.options, start, proxy.worldOn(this.host), post, beside);
    this.#toWorker = new Mailbox(world, this.host, worker.receive);
    ({ table: this.table, counters: this.counters, openRequests: this.openRequests } = worker.sources);
    post({ kind: 'ready' });
  }

  /** Whether the keeper and it have said nothing that the other does not know yet. */
  get isUpToDate(): boolean {
    return this.#toWorker.waiting === 0 && this.#toKeeper.waiting === 0;
  }

  post(message: ToWorker): void {
    this.#toWorker.post(message);
  }

  /** Ends it at once, as the keeper does. @returns how many clients it still has */
  end(): number {
    const isClient = (address: string | undefined): boolean =>
      address !== undefined && !this.table.hasHost(address);
    const left = [...this.host.sockets].filter(({ remoteAddress }) => isClient(remoteAddress)).length;
    this.#die('it has stopped');
    return left;
  }

  /** It ends by itself; with it may go what it has just said. */
  crash(): void {
    this.#toKeeper.isCut = this.#world.random.between(0, 1) === 0;
    this.#die('it has crashed');
  }

  #die(why: string): void {
    this.host.kill();
    this.#world.network.stopListening(this.host);
    this.#toKeeper.last(() => this.#onGone(why));
  }
}

/** Takes messages to a thread: in order, each after a while. */
class Mailbox<Message> {
  readonly #world: World;
  readonly #to: Host;
  readonly #take: (message: Message) => void;
  #lastMs = 0;
  waiting = 0;
  /** What has not arrived yet is lost. */
  isCut = false;

  constructor(world: World, to: Host, take: (message: Message) => void) {
    this.#world = world;
    this.#to = to;
    this.#take = take;
  }

  post(message: Message): void {
    // As between threads: what is sent is a copy, but for shared memory.
    const copy = structuredClone(message);
    this.#after(() => {
      if (!this.isCut) this.#to.run(() => this.#take(copy));
    });
  }

  /** Calls `work` in the thread after all messages. */
  last(work: () => void): void {
    this.#after(() => this.#to.run(work));
  }

  #after(work: () => void): void {
    const { timeline, random } = this.#world;
    const maxMs = random.between(1, SLOW_ONE_IN) === 1 ? MESSAGE_MS : USUAL_MS;
    this.#lastMs = Math.max(this.#lastMs, timeline.nowMs + random.between(1, maxMs * 100) / 100);
    this.waiting += 1;
    timeline.after(this.#lastMs - timeline.nowMs, () => {
      this.waiting -= 1;
      work();
    });
  }
}
