// One reader of the events, as server-sent events over HTTP: first those that are kept, then every new one.
import type { ServerResponse } from 'node:http';
import { printable } from '../../shared/printable.ts';
import type { EventLog } from './events.ts';

const KEEP_ALIVE_COMMENT_MS = 15_000;

/**
 * Sends the events to a reader for as long as it stays.
 * @param lastEventId what it has seen last, in its own words; of another start of the proxy, it gets everything
 */
export function streamEvents(
  response: ServerResponse,
  events: EventLog,
  lastEventId: string | string[] | undefined,
): void {
  const lastSeq = typeof lastEventId === 'string' ? events.seqOf(lastEventId) : 0;
  new EventStream(response, events, lastSeq).start();
}

/**
 * Writes no faster than its reader takes: what has not been written yet is in the log, which is bounded. A reader that has
 * fallen behind it misses the events in between, and sees that by their numbers; one that takes nothing is cut off.
 */
class EventStream {
  readonly #response: ServerResponse;
  readonly #events: EventLog;
  #lastSeq: number;
  #isFull = false;
  #wasFullAtLastLook = false;

  constructor(response: ServerResponse, events: EventLog, lastSeq: number) {
    this.#response = response;
    this.#events = events;
    this.#lastSeq = lastSeq;
  }

  start(): void {
    const response = this.#response;
    this.#write(': the last events, then every new one\n\n');
    const stopListening = this.#events.listen(() => this.#writeNew());
    const looking = setInterval(() => this.#look(), KEEP_ALIVE_COMMENT_MS);
    response.on('drain', () => {
      this.#isFull = false;
      this.#wasFullAtLastLook = false;
      this.#writeNew();
    });
    response.on('close', () => {
      clearInterval(looking);
      stopListening();
    });
    this.#writeNew();
  }

  #writeNew(): void {
    if (this.#isFull) return;
    for (const event of this.#events.since(this.#lastSeq)) {
      this.#lastSeq = event.seq;
      const id = this.#events.idOf(event);
      this.#write(`id: ${id}\nevent: ${event.type}\ndata: ${printable(JSON.stringify(event))}\n\n`);
      if (this.#isFull) return;
    }
  }

  #look(): void {
    if (this.#wasFullAtLastLook) this.#response.destroy();
    else if (this.#isFull) this.#wasFullAtLastLook = true;
    else this.#write(': still here\n\n');
  }

  #write(text: string): void {
    this.#isFull = !this.#response.write(text);
  }
}
