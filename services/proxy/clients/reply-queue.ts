// What goes out on one client connection: replies in the order of the requests, in one write where ready together. On the data path.
import type { Connection } from '../network/network.ts';
import type { Request } from '../routing/request.ts';

// A client that sends more than this without reading its replies is not read from until some have gone.
const MAX_OPEN_REQUESTS = 256;
// Beside what its socket has not sent yet, which has a limit of its own.
const MAX_WAITING_BYTES = 16_384;

type ReplySocket = Pick<Connection, 'write' | 'writableLength' | 'writableNeedDrain'>;

export class ReplyQueue {
  readonly #socket: ReplySocket;
  #first: Request | null = null;
  #last: Request | null = null;
  #length = 0;
  /** Of replies that are there and have to wait for the replies before them. */
  #queuedBytes = 0;
  #unwritten = '';
  #stuckBytes = 0;
  #stuckSinceMs = 0;

  constructor(socket: ReplySocket) {
    this.#socket = socket;
  }

  /** How many requests have no reply that may leave yet. */
  get length(): number {
    return this.#length;
  }

  /** Notes a request's place; its reply leaves after those of all before it. */
  append(request: Request): void {
    if (this.#last === null) this.#first = request;
    else this.#last.next = request;
    this.#last = request;
    this.#length += 1;
  }

  /** A request has its reply: it leaves at the next `write` if those before it have theirs. */
  deliver({ reply }: Request): void {
    this.#queuedBytes += reply?.length ?? 0;
    let first = this.#first;
    while (first !== null && first.reply !== null) {
      this.#unwritten += first.reply;
      this.#queuedBytes -= first.reply.length;
      this.#length -= 1;
      const { next }: Request = first;
      // A request that is held elsewhere must not hold all its successors too.
      first.next = null;
      first = next;
    }
    this.#first = first;
    if (first === null) this.#last = null;
  }

  /** Adds a line that answers no request, behind what is ready. */
  addLine(line: string): void {
    this.#unwritten += Buffer.from(line).toString('latin1');
  }

  write(): void {
    if (this.#unwritten === '') return;
    const wire = this.#unwritten;
    this.#unwritten = '';
    this.#socket.write(wire, 'latin1');
  }

  /** So much is to be replied to, or waits to be sent, that no more requests may be taken. */
  get isOverdrawn(): boolean {
    return this.#length >= MAX_OPEN_REQUESTS || this.#isBehind;
  }

  get isRelieved(): boolean {
    return this.#length <= MAX_OPEN_REQUESTS / 2 && !this.#isBehind;
  }

  get #isBehind(): boolean {
    return this.#unwritten.length + this.#queuedBytes > MAX_WAITING_BYTES || this.#socket.writableNeedDrain;
  }

  /** Whether none of the replies that wait to be sent has gone for `limitMs`; asked again and again. */
  isStuck(nowMs: number, limitMs: number): boolean {
    const { writableLength } = this.#socket;
    if (writableLength === 0 || writableLength !== this.#stuckBytes) {
      this.#stuckBytes = writableLength;
      this.#stuckSinceMs = nowMs;
    }
    return nowMs - this.#stuckSinceMs >= limitMs;
  }
}
