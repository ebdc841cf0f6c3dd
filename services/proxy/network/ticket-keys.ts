// shell · one key for the session tickets of all listening sockets of a port: the kernel hands a client that comes back to any
// of them, and each would know its own tickets only.
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:tls';

const KEY_BYTES = 48;

/** A ticket is good for two hours (OpenSSL's limit for TLS 1.3): who steals a key reads no more than what came near it. */
const ROTATE_MS = 3_600_000;

export class TicketKeys {
  readonly #servers = new Set<Server>();
  readonly #now: () => number;
  #key = randomBytes(KEY_BYTES);
  #rotateAtMs: number;

  /** @param now monotonic ms */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#rotateAtMs = now() + ROTATE_MS;
  }

  /** Has a server use the common key. */
  add(server: Server): void {
    this.#servers.add(server);
    server.setTicketKeys(this.#key);
  }

  /** A server listens no more. */
  remove(server: Server): void {
    this.#servers.delete(server);
  }

  /** Takes a new key when the old one is old enough; called for each connection, so that no timer is needed. */
  rotateIfDue(): void {
    const nowMs = this.#now();
    if (nowMs < this.#rotateAtMs) return;
    this.#rotateAtMs = nowMs + ROTATE_MS;
    this.#key = randomBytes(KEY_BYTES);
    for (const server of this.#servers) server.setTicketKeys(this.#key);
  }
}
