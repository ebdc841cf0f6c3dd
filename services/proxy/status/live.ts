// What the live page is told: one stream of server-sent events a tab. Nothing is made while nobody listens.
import type { ServerResponse } from 'node:http';
import { printable } from '../../shared/printable.ts';
import type { Ending, Traffic } from '../metrics/traffic.ts';
import type { Request } from '../routing/request.ts';
import type { ClusterEvent, EventLog } from './events.ts';
import type { Faults } from './faults.ts';

const STATE_EVERY_MS = 1000;
// After an event the page is told soon, but a storm of them does not make as many pictures.
const STATE_AFTER_EVENT_MS = 100;
const SAMPLES_EVERY_MS = 100;
const SAMPLES_AT_ONCE = 2;
// A reader that has so much waiting is not reading.
const MAX_BEHIND_BYTES = 1024 * 1024;

export type LiveSources = {
  events: EventLog;
  faults: Pick<Faults, 'kept' | 'listen'>;
  traffic: Traffic<Request>;
  /** What does not change while the proxy runs. */
  hello: () => object;
  /** The cluster as it is now. */
  state: () => object;
  wallNow: () => number;
};

/** All tabs: what is told to one is told to all, and made once. */
export class Live {
  readonly #sources: LiveSources;
  readonly #readers = new Set<ServerResponse>();
  #stop: (() => void) | null = null;
  #soon: NodeJS.Timeout | null = null;

  constructor(sources: LiveSources) {
    this.#sources = sources;
  }

  /** Whether somebody listens. */
  get isOn(): boolean {
    return this.#readers.size > 0;
  }

  /**
   * Begins to tell a reader: who the proxy is, the cluster, the kept faults and events, and all that comes.
   * @param lastEventId what it has seen last; of another start of the proxy, it gets all that is kept
   */
  add(response: ServerResponse, lastEventId: string | string[] | undefined): void {
    const { events, faults, hello, state } = this.#sources;
    const seen = typeof lastEventId === 'string' ? events.seqOf(lastEventId) : 0;
    this.#readers.add(response);
    response.on('close', () => this.#remove(response));
    this.#stop ??= this.#start();
    this.#write(response, frame('hello', hello()));
    if (seen === 0) this.#write(response, frame('resync', {}));
    this.#write(response, frame('state', state()));
    for (const fault of faults.kept) this.#write(response, frame('fault', fault));
    for (const event of events.since(seen)) this.#write(response, this.#eventFrame(event));
  }

  #remove(response: ServerResponse): void {
    this.#readers.delete(response);
    if (this.#readers.size > 0) return;
    this.#stop?.();
    this.#stop = null;
  }

  #start(): () => void {
    const { events, faults, traffic, wallNow } = this.#sources;
    const sampler = new Sampler(wallNow);
    const stopWatching = traffic.watch(sampler.onEnd);
    const stopListening = events.listen((event) => {
      this.#tell(this.#eventFrame(event));
      this.#soon ??= setTimeout(() => this.#tellState(), STATE_AFTER_EVENT_MS);
    });
    const stopFaults = faults.listen((fault) => this.#tell(frame('fault', fault)));
    const states = setInterval(() => this.#tellState(), STATE_EVERY_MS);
    const samples = setInterval(() => {
      const batch = sampler.take();
      if (batch !== null) this.#tell(frame('sample', batch));
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
    this.#tell(frame('state', this.#sources.state()));
  }

  #clearSoon(): void {
    if (this.#soon !== null) clearTimeout(this.#soon);
    this.#soon = null;
  }

  #eventFrame(event: ClusterEvent): string {
    return `id: ${this.#sources.events.idOf(event)}\n${frame('event', event)}`;
  }

  #tell(text: string): void {
    for (const reader of this.#readers) this.#write(reader, text);
  }

  #write(reader: ServerResponse, text: string): void {
    if (reader.writableLength > MAX_BEHIND_BYTES) reader.destroy();
    else reader.write(text);
  }
}

function frame(name: string, data: object): string {
  return `event: ${name}\ndata: ${printable(JSON.stringify(data))}\n\n`;
}

type Sample = {
  atMs: number;
  policy: string;
  id: string | number;
  ms: number;
  outcome: 'answered';
  attempt: number;
};

/** Picks few of the answered requests, one in so many that they are spread over all. */
class Sampler {
  readonly #wallNow: () => number;
  #samples: Sample[] = [];
  #seen = 0;
  #oneIn = 1;
  #since = 0;

  constructor(wallNow: () => number) {
    this.#wallNow = wallNow;
  }

  readonly onEnd = ({ request, server, arrivedMs, endedMs }: Ending<Request>): void => {
    if (server === null) return;
    this.#seen += 1;
    this.#since += 1;
    if (this.#since < this.#oneIn || this.#samples.length >= SAMPLES_AT_ONCE) return;
    this.#since = 0;
    const { policy, trouble } = request;
    const attempt = (trouble?.exposures ?? 0) + 1;
    const atMs = this.#wallNow();
    this.#samples.push({
      atMs,
      policy,
      id: server.id,
      ms: endedMs - arrivedMs,
      outcome: 'answered',
      attempt,
    });
  };

  /** The last batch, and which share of all it stands for; null when there is none. */
  take(): { share: number; samples: Sample[] } | null {
    const samples = this.#samples;
    const share = Math.max(1, Math.round(this.#seen / Math.max(1, samples.length)));
    this.#oneIn = Math.max(1, Math.floor(this.#seen / SAMPLES_AT_ONCE));
    this.#seen = 0;
    this.#samples = [];
    return samples.length === 0 ? null : { share, samples };
  }
}
