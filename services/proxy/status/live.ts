// What the live page is told: one stream of server-sent events a tab. Nothing is made while nobody listens.
import type { ServerResponse } from 'node:http';
import type { Ending, Traffic } from '../metrics/traffic.ts';
import type { ClusterState, Hello, Sample, SampleBatch } from '../page/browser/model/contract.ts';
import type { Request } from '../routing/request.ts';
import type { EventLog } from './events.ts';
import type { Faults } from './faults.ts';
import { frame, Reader, writeEvents } from './reader.ts';

const STATE_EVERY_MS = 1000;
// After an event the page is told soon, but a storm of them does not make as many pictures.
const STATE_AFTER_EVENT_MS = 100;
const SAMPLES_EVERY_MS = 100;
const SAMPLES_AT_ONCE = 2;

export type LiveSources = {
  events: EventLog;
  faults: Pick<Faults, 'kept' | 'listen'>;
  traffic: Traffic<Request>;
  /** What does not change while the proxy runs. */
  hello: () => Hello;
  /** The cluster as it is now. */
  state: () => ClusterState;
};

/** All tabs: what is told to one is told to all, and made once. */
export class Live {
  readonly #sources: LiveSources;
  readonly #tabs = new Set<Tab>();
  #stop: (() => void) | null = null;
  #soon: NodeJS.Timeout | null = null;

  constructor(sources: LiveSources) {
    this.#sources = sources;
  }

  /** Whether somebody listens. */
  get isOn(): boolean {
    return this.#tabs.size > 0;
  }

  /**
   * Begins to tell a reader: who the proxy is, the cluster, the kept faults and events, and all that comes.
   * @param lastEventId what it has seen last; of another start of the proxy, it gets all that is kept
   */
  add(response: ServerResponse, lastEventId: string | string[] | undefined): void {
    const { events, hello, state } = this.#sources;
    const seen = events.seqOf(lastEventId);
    const tab = new Tab(response, seen, this.#sources, () => this.#remove(tab));
    this.#tabs.add(tab);
    this.#stop ??= this.#start();
    const greeting = [frame('hello', hello()), ...(seen === 0 ? [frame('resync', {})] : [])];
    tab.begin(Buffer.concat([...greeting, frame('state', state())]));
  }

  #remove(tab: Tab): void {
    this.#tabs.delete(tab);
    if (this.#tabs.size > 0) return;
    this.#stop?.();
    this.#stop = null;
  }

  #start(): () => void {
    const { events, faults, traffic } = this.#sources;
    const sampler = new Sampler();
    const stopWatching = traffic.watch(sampler.onEnd);
    const stopListening = events.listen(() => {
      for (const tab of this.#tabs) tab.tellNewEvents();
      this.#soon ??= setTimeout(() => this.#tellState(), STATE_AFTER_EVENT_MS);
    });
    const stopFaults = faults.listen((fault) => {
      const bytes = frame('fault', fault);
      for (const tab of this.#tabs) tab.tellFault(bytes);
    });
    const states = setInterval(() => this.#tellState(), STATE_EVERY_MS);
    const samples = setInterval(() => {
      const batch = sampler.take();
      if (batch !== null) this.#tellPassing(frame('sample', batch));
    }, SAMPLES_EVERY_MS);
    return () => {
      stopWatching();
      stopListening();
      stopFaults();
      clearInterval(states);
      clearInterval(samples);
      this.#clearSoon();
    };
  }

  #tellState(): void {
    this.#clearSoon();
    this.#tellPassing(frame('state', this.#sources.state()));
  }

  #clearSoon(): void {
    if (this.#soon !== null) clearTimeout(this.#soon);
    this.#soon = null;
  }

  #tellPassing(bytes: Buffer): void {
    for (const tab of this.#tabs) tab.tellPassing(bytes);
  }
}

/**
 * What one reader has been told. What a slow one has not taken yet is kept where it is kept anyway, and is bounded there: the
 * events in their log, the faults in their list; of the rest only the next is of use.
 */
class Tab {
  readonly #reader: Reader;
  readonly #sources: Pick<LiveSources, 'events' | 'faults'>;
  #lastSeq: number;
  #missesFaults = true;

  constructor(
    response: ServerResponse,
    seen: number,
    sources: Pick<LiveSources, 'events' | 'faults'>,
    onGone: () => void,
  ) {
    this.#reader = new Reader(response, () => this.#catchUp(), onGone);
    this.#sources = sources;
    this.#lastSeq = seen;
  }

  begin(greeting: Buffer): void {
    this.#reader.write(greeting);
    this.#catchUp();
  }

  tellNewEvents(): void {
    this.#lastSeq = writeEvents(this.#reader, this.#sources.events, this.#lastSeq, () => 'event');
  }

  tellFault(bytes: Buffer): void {
    if (this.#reader.isFull) this.#missesFaults = true;
    else this.#reader.write(bytes);
  }

  /** Tells what the next of its kind replaces. */
  tellPassing(bytes: Buffer): void {
    if (!this.#reader.isFull) this.#reader.write(bytes);
  }

  #catchUp(): void {
    if (this.#reader.isFull) return;
    if (this.#missesFaults) {
      this.#missesFaults = false;
      for (const fault of this.#sources.faults.kept) this.#reader.write(frame('fault', fault));
    }
    this.tellNewEvents();
  }
}

/** Picks few of the answered requests, one in so many that they are spread over all. */
class Sampler {
  #samples: Sample[] = [];
  #seen = 0;
  #oneIn = 1;
  #since = 0;

  readonly onEnd = ({ request, server, standsFor }: Ending<Request>): void => {
    if (server === null) return;
    this.#seen += standsFor;
    this.#since += standsFor;
    if (this.#since < this.#oneIn || this.#samples.length >= SAMPLES_AT_ONCE) return;
    this.#since = 0;
    this.#samples.push({ policy: request.policy, id: server.id });
  };

  /** The last batch, and which share of all it stands for; null when there is none. */
  take(): SampleBatch | null {
    const samples = this.#samples;
    const share = Math.max(1, Math.round(this.#seen / Math.max(1, samples.length)));
    this.#oneIn = Math.max(1, Math.floor(this.#seen / SAMPLES_AT_ONCE));
    this.#seen = 0;
    this.#samples = [];
    return samples.length === 0 ? null : { share, samples };
  }
}
