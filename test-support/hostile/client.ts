// A client of the cases: it asks over one connection, and knows for each reply whether it is the right one.
import { hash } from 'node:crypto';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const GIVE_UP_MS = 5_000;
const TICK_MS = 5;

export type Question = { line: string; id: number; payload: string };

/** `ok`, `wrong` (digest), `foreign` (the answer to another client's request), `lost`, or the code of an error. */
export type Reply = { outcome: string; ms: number };

type Waiting = { question: Question; askedMs: number; settle: (outcome: string) => void };

let lastId = 100;

/** A request that no other of this process is like: its id and its payload are its own. */
export function question(policy: string | number = '1', text = 'request'): Question {
  lastId += 1;
  const payload = `${text} ${lastId}`;
  const packet = { type: 0, srcid: lastId, privPoliId: policy, payloadsize: payload.length, payload };
  return { line: `${JSON.stringify(packet)}\n`, id: lastId, payload };
}

export class Client {
  readonly socket: net.Socket;
  readonly #waiting: Waiting[] = [];
  #rest = '';

  constructor(port: number) {
    this.socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket
      .on('error', () => {})
      .on('close', () => {
        for (const { settle } of this.#waiting.splice(0)) settle('lost');
      });
    this.socket.setEncoding('utf8').on('data', (chunk: string) => this.#take(chunk));
  }

  /** Resolves when the reply is there, or is not after five seconds. */
  ask(asked: Question): Promise<Reply> {
    const askedMs = performance.now();
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle('lost'), GIVE_UP_MS);
      const settle = (outcome: string): void => {
        clearTimeout(timer);
        resolve({ outcome, ms: performance.now() - askedMs });
      };
      if (this.socket.destroyed) settle('lost');
      else {
        this.#waiting.push({ question: asked, askedMs, settle });
        this.socket.write(asked.line);
      }
    });
  }

  close(): void {
    this.socket.destroy();
  }

  #take(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const one = this.#waiting.shift();
      one?.settle(judge(line, one.question));
    }
  }
}

/** Asks all at once, one after the other on each of the connections. */
export function burst(clients: readonly Client[], questions: readonly Question[]): Promise<Reply[]> {
  return Promise.all(questions.map((asked, at) => (clients[at % clients.length] as Client).ask(asked)));
}

/** Asks at a steady rate, whatever becomes of those before. */
export async function steady(
  clients: readonly Client[],
  { perSecond, seconds }: { perSecond: number; seconds: number },
  ask: (index: number) => Question,
  signal: AbortSignal,
): Promise<Reply[]> {
  const replies: Promise<Reply>[] = [];
  const startMs = performance.now();
  while (replies.length < perSecond * seconds) {
    const due = Math.min(perSecond * seconds, ((performance.now() - startMs) / 1000) * perSecond);
    while (replies.length < due) {
      const at = replies.length;
      replies.push((clients[at % clients.length] as Client).ask(ask(at)));
    }
    await sleep(TICK_MS, undefined, { signal });
  }
  return Promise.all(replies);
}

/** Each client asks as soon as it has had its reply, for as long as `goesOn` says so. */
export async function closedLoop(
  clients: readonly Client[],
  goesOn: (sent: number) => boolean,
): Promise<Reply[]> {
  const replies: Reply[] = [];
  let sent = 0;
  const askOn = async (client: Client): Promise<void> => {
    while (goesOn(sent)) {
      sent += 1;
      replies.push(await client.ask(question()));
    }
  };
  await Promise.all(clients.map(askOn));
  return replies;
}

/** How many replies have this outcome. */
export function count(replies: readonly Reply[], outcome: string): number {
  return replies.filter((reply) => reply.outcome === outcome).length;
}

/** What became of those that were not answered right: `3 NO_SERVER, 1 lost`. */
export function others(replies: readonly Reply[]): string {
  const kinds = new Set(replies.map(({ outcome }) => outcome));
  kinds.delete('ok');
  return [...kinds].map((kind) => `${count(replies, kind)} ${kind}`).join(', ');
}

/** The latency in ms that a share of the replies is not above. */
export function quantile(replies: readonly Reply[], share: number): number {
  const sorted = replies.map(({ ms }) => ms).toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function judge(line: string, { id, payload }: Question): string {
  const { type, destid, code, payload: digest } = JSON.parse(line) as Record<string, unknown>;
  if (type === -1) return String(code);
  if (type !== 2) return 'wrong';
  if (Number(destid) !== id) return 'foreign';
  return digest === hash('sha1', payload) ? 'ok' : 'wrong';
}
