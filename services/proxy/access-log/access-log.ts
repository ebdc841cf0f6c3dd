// The access log: which requests get a line. On the data path where it is on.
import type { Clock } from '../../shared/clock.ts';
import type { ErrorCode } from '../../shared/error-codes.ts';
import type { Log } from '../../shared/log.ts';
import type { Id } from '../../shared/packet.ts';
import type { Request, TriedServer } from '../routing/request.ts';
import type { Addressee, RequestWatch } from '../routing/watch.ts';
import type { BoundedWriter } from './bounded-writer.ts';
import type { AccessEntry, LineFormat } from './line.ts';

// Errors and retries get a line each, but peers can provoke them: beyond this they are sampled like the others.
const UNSAMPLED_LINES_A_SECOND = 1000;

export type AccessLogOptions = {
  /** How many of the requests that went well get a line, above 0 and up to 1. */
  share: number;
  /** A request that took longer is slow, ms. */
  slowMs: number;
  /** How long a request has until its deadline, ms. */
  requestTimeoutMs: number;
  format: LineFormat;
};

export class AccessLog implements RequestWatch {
  readonly #options: AccessLogOptions;
  readonly #writer: BoundedWriter;
  readonly #clock: Pick<Clock, 'now' | 'wallNow'>;
  readonly #random: () => number;
  /** Wall time = monotonic time + this. */
  #toWallMs: number;
  #unsampled = 0;
  #leftOut = 0;
  #reported = 0;

  constructor(
    options: AccessLogOptions,
    writer: BoundedWriter,
    clock: Pick<Clock, 'now' | 'wallNow'>,
    random: () => number,
  ) {
    this.#options = options;
    this.#writer = writer;
    this.#clock = clock;
    this.#random = random;
    this.#toWallMs = clock.wallNow() - clock.now();
  }

  /** Lines that were not written since the start, because the reader was slow. */
  get dropped(): number {
    return this.#writer.dropped;
  }

  onAttempt(): void {}

  onAttemptFailed(): void {}

  onAnswered(request: Request, server: TriedServer, tookMs: number): void {
    const { share, slowMs } = this.#options;
    const isOdd = request.trouble !== null || tookMs > slowMs;
    if (!this.#isWanted(share, isOdd)) return;
    this.#write(request, server.id, tookMs, 'answered', null);
  }

  onRefused(request: Request, code: ErrorCode, trace: string): void {
    this.#end(request, code, trace);
  }

  onAbandoned(request: Request): void {
    this.#end(request, 'abandoned', null);
  }

  onPacketRefused({ clientId, policy }: Addressee, code: ErrorCode, trace: string): void {
    if (!this.#isWanted(this.#options.share, true)) return;
    const wallMs = this.#clock.now() + this.#toWallMs;
    const nobody = { server: null, tried: null, attempts: 0, waitMs: 0, serverMs: 0 };
    this.#add({ message: 'refused packet', wallMs, clientId, policy, ...nobody, outcome: code, trace });
  }

  /** A second is over: says how many lines were left out, or dropped if there is room again. */
  nextSecond(log: Log): void {
    this.#toWallMs = this.#clock.wallNow() - this.#clock.now();
    const leftOut = this.#leftOut;
    this.#unsampled = 0;
    this.#leftOut = 0;
    if (leftOut > 0)
      log({ level: 'warn', message: 'more lines than a second has room for in the access log', leftOut });
    const dropped = this.dropped - this.#reported;
    if (dropped === 0 || !this.#writer.hasRoom) return;
    this.#reported += dropped;
    log({ level: 'warn', message: 'lines of the access log were dropped: its reader is slow', dropped });
  }

  /** The end: see `BoundedWriter.close`. */
  close(): Promise<void> {
    return this.#writer.close();
  }

  #isWanted(share: number, isOdd: boolean): boolean {
    if (share === 1) return true;
    if (isOdd && this.#unsampled < UNSAMPLED_LINES_A_SECOND) {
      this.#unsampled += 1;
      return true;
    }
    if (this.#random() < share) return true;
    if (isOdd) this.#leftOut += 1;
    return false;
  }

  #end(request: Request, outcome: ErrorCode | 'abandoned', trace: string | null): void {
    if (!this.#isWanted(this.#options.share, true)) return;
    const tookMs = this.#clock.now() - this.#startOf(request);
    this.#write(request, null, tookMs, outcome, trace);
  }

  #startOf({ deadlineMs }: Request): number {
    return deadlineMs - this.#options.requestTimeoutMs;
  }

  #write(
    request: Request,
    server: Id | null,
    tookMs: number,
    outcome: AccessEntry['outcome'],
    trace: string | null,
  ): void {
    const { clientId, policy, attemptMs } = request;
    const startMs = this.#startOf(request);
    const waitMs = attemptMs === 0 ? tookMs : attemptMs - startMs;
    this.#add({
      message: 'request',
      wallMs: startMs + tookMs + this.#toWallMs,
      clientId,
      policy,
      server,
      tried: othersOf(request, server),
      attempts: attemptsOf(request),
      waitMs,
      serverMs: tookMs - waitMs,
      outcome,
      trace,
    });
  }

  #add(entry: AccessEntry): void {
    this.#writer.add(this.#options.format(entry));
  }
}

function attemptsOf({ trouble, upstream }: Request): number {
  if (trouble !== null) return trouble.attempts;
  return upstream === null ? 0 : 1;
}

// The one that it is on is in no list yet.
function othersOf({ trouble, upstream }: Request, server: Id | null): readonly Id[] | null {
  if (upstream === null || (trouble === null && upstream.id === server)) return null;
  const { tried = [], staleOn = null, leftBehind = [] } = trouble ?? {};
  const all = [...tried, ...leftBehind, ...(staleOn === null ? [] : [staleOn]), upstream];
  const ids = [...new Set(all.map(({ id }) => id))].filter((id) => id !== server);
  return ids.length === 0 ? null : ids;
}
