// All refusals: counted, each with an id by which it is found again in the logs.
import type { ErrorCode } from '../../shared/error-codes.ts';
import type { LimitedLog } from '../../shared/log.ts';
import type { Request } from './request.ts';
import type { Addressee, RequestWatch } from './watch.ts';

export class Refusals {
  /** Requests that ended with a refusal, by its code. */
  readonly ofRequests: Record<string, number> = {};
  /** Refusals that answer no request, by their code: of bytes, packets, registrations and connections. */
  readonly ofOthers: Record<string, number> = {};
  readonly #boot: string;
  readonly #log: LimitedLog | null;
  readonly #watch: RequestWatch | null;
  #last = 0;

  /**
   * @param boot names this start of the proxy: ids of others are never the same
   * @param log  gets a line about each; null for none
   */
  constructor(boot: string, log: LimitedLog | null, watch: RequestWatch | null) {
    this.#boot = boot;
    this.#log = log;
    this.#watch = watch;
  }

  /** Notes that a request is refused. @returns the id for the refusal */
  noteRequest(request: Request, code: ErrorCode): string {
    const trace = this.#note(this.ofRequests, code, request);
    if (this.#watch !== null) this.#watch.onRefused(request, code, trace);
    return trace;
  }

  /** Notes that something else is refused. @returns the id for the refusal */
  note(code: ErrorCode, whom: Addressee): string {
    const trace = this.#note(this.ofOthers, code, whom);
    if (this.#watch !== null) this.#watch.onPacketRefused(whom, code, trace);
    return trace;
  }

  #note(counts: Record<string, number>, code: ErrorCode, { clientId: client, policy }: Addressee): string {
    counts[code] = (counts[code] ?? 0) + 1;
    this.#last += 1;
    const trace = `${this.#boot}-${this.#last.toString(36)}`;
    this.#log?.write({ level: 'debug', message: 'refused', trace, code, client, policy });
    return trace;
  }
}
