// pure · the accept queue of a server that serves one connection at a time: what the kernel holds until the process asks.
import type { Endpoint } from './endpoint.ts';
import type { Host } from './host.ts';

export class AcceptQueue {
  readonly #host: Host;
  readonly #backlog: number;
  readonly #serveOne: (connection: Endpoint, done: () => void) => void;
  readonly #waiting: Endpoint[] = [];
  #isServing = false;

  /** @param backlog as in listen(2) */
  constructor(host: Host, backlog: number, serveOne: (connection: Endpoint, done: () => void) => void) {
    this.#host = host;
    this.#backlog = backlog;
    this.#serveOne = serveOne;
  }

  /** Linux compares with "greater than": one more than the backlog fits. */
  get isFull(): boolean {
    return this.#waiting.length > this.#backlog;
  }

  push(connection: Endpoint): void {
    this.#waiting.push(connection);
    this.#host.deal(() => this.#acceptNext());
  }

  #acceptNext(): void {
    while (!this.#isServing) {
      const connection = this.#waiting.shift();
      if (connection === undefined) return;
      // Its peer has reset it meanwhile: the first read fails, and the server goes on.
      if (connection.isDestroyed) continue;
      this.#isServing = true;
      let isDone = false;
      this.#serveOne(connection, () => {
        if (isDone) return;
        isDone = true;
        this.#isServing = false;
        this.#host.dealLast(() => this.#acceptNext());
      });
      connection.accept();
    }
  }
}
