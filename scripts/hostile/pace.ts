// How fast this machine is beside a case: a bare echo on a thread of its own, asked every 20 ms from the generator's.
import { once } from 'node:events';
import net from 'node:net';
import { Worker } from 'node:worker_threads';

const EVERY_MS = 20;
const ECHO = `
const server = require('node:net').createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {}).pipe(socket);
});
server.listen(0, '127.0.0.1', () => require('node:worker_threads').parentPort.postMessage(server.address().port));
`;

/** Round trips of the echo in ms, from when they were due: the generator's own delay is in them. */
export type Reading = { p99Ms: number; worstMs: number };

export class Pace {
  readonly #worker: Worker;
  readonly #socket: net.Socket;
  readonly #timer: NodeJS.Timeout;
  #roundTrips: number[] = [];
  #dueMs = performance.now();
  #sentDueMs: number | null = null;

  static async start(): Promise<Pace> {
    const worker = new Worker(ECHO, { eval: true });
    const [port] = (await once(worker, 'message')) as [number];
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new Pace(worker, socket);
  }

  private constructor(worker: Worker, socket: net.Socket) {
    this.#worker = worker;
    this.#socket = socket.on('error', () => {}).on('data', () => this.#settle());
    this.#timer = setInterval(() => this.#tick(), EVERY_MS);
  }

  /** What was seen since the start, or since `restart`. */
  read(): Reading {
    const sorted = this.#roundTrips.toSorted((a, b) => a - b);
    const p99Ms = sorted[Math.floor(sorted.length * 0.99)] ?? 0;
    return { p99Ms, worstMs: sorted.at(-1) ?? 0 };
  }

  restart(): void {
    this.#roundTrips = [];
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#settle();
    this.#socket.destroy();
    await this.#worker.terminate();
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#dueMs = Math.min(nowMs, this.#dueMs + EVERY_MS);
    if (this.#sentDueMs !== null) return;
    this.#sentDueMs = this.#dueMs;
    this.#dueMs = nowMs;
    this.#socket.write('?');
  }

  #settle(): void {
    if (this.#sentDueMs === null) return;
    this.#roundTrips.push(performance.now() - this.#sentDueMs);
    this.#sentDueMs = null;
  }
}
