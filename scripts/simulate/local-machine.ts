// pure · what the proxy's own machine can run out of: local ports to one destination, and descriptors.

/** RFC 9293, 3.6.1, as Linux has it: whoever closes first keeps the port for so long. */
const TIME_WAIT_MS = 60_000;

/** What dialling fails with while the machine has none left. */
export type LocalFault = 'EMFILE' | 'EADDRNOTAVAIL';

export class LocalMachine {
  readonly #portsPerDestination: number;
  readonly #after: (ms: number, work: () => void) => unknown;
  readonly #inUse = new Map<string, number>();
  /** What every dial fails with now; null when there is nothing wrong. */
  fault: LocalFault | null = null;
  /** When it last ran out of something; -Infinity when it never did. */
  lastFaultMs = Number.NEGATIVE_INFINITY;

  /** @param portsPerDestination how many connections to one address and port it can have */
  constructor(portsPerDestination: number, after: (ms: number, work: () => void) => unknown) {
    this.#portsPerDestination = portsPerDestination;
    this.#after = after;
  }

  /** Takes a port for a connection. @returns the error that dialling fails with, or null */
  take(destination: string, nowMs: number): LocalFault | null {
    const used = this.#inUse.get(destination) ?? 0;
    const fault = this.fault ?? (used >= this.#portsPerDestination ? 'EADDRNOTAVAIL' : null);
    if (fault === null) this.#inUse.set(destination, used + 1);
    else this.lastFaultMs = nowMs;
    return fault;
  }

  /** The connection is closed. @param isTimeWait this end has closed first */
  release(destination: string, isTimeWait: boolean): void {
    const free = (): void => void this.#inUse.set(destination, (this.#inUse.get(destination) ?? 1) - 1);
    if (isTimeWait) this.#after(TIME_WAIT_MS, free);
    else free();
  }
}
