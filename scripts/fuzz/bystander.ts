// shell · the normal client: a request every few milliseconds over a kept connection and over fresh ones, while others attack.
// Must never send again what got no reply, or take anything for an answer but the right one.
import { hash } from 'node:crypto';
import { formatRequest } from '../../services/shared/packet.ts';
import { Connection, type Target } from '../load/connection.ts';

const EVERY_MS = 5;
const REPLY_WITHIN_MS = 2250;
const CLIENT_ID = 'bystander';

export type BystanderTally = { requests: number; answered: number; slowestMs: number };

export type Bystander = {
  tally(): BystanderTally;
  /** The first request that was not answered as it should be, in words. */
  problem: Promise<string>;
  /** Sends no more, and waits for what is open. */
  stop(): Promise<void>;
};

type Exchange = { payload: string; sentMs: number; settle: () => void };

/** Starts a client of `policy`, which has to have a server. */
export function startBystander(target: Target, policy: string): Bystander {
  const tally: BystanderTally = { requests: 0, answered: 0, slowestMs: 0 };
  const found = Promise.withResolvers<string>();
  const open = new Map<Connection, Exchange>();
  const whenIdle = new Set<() => void>();
  const events = {
    opened: () => {},
    replied: (connection: Connection, text: string, receivedMs: number) => {
      const exchange = open.get(connection);
      if (exchange === undefined) found.resolve(`a reply that nobody asked for: ${text}`);
      else judge(connection, exchange, text, receivedMs);
    },
    broke: (connection: Connection, reason: string) => {
      const exchange = open.get(connection);
      found.resolve(
        exchange === undefined
          ? `its idle connection ended (${reason})`
          : `"${exchange.payload}" got no reply: ${reason}`,
      );
      settle(connection);
    },
  };
  const kept = new Connection(target, events);

  function judge(
    connection: Connection,
    { payload, sentMs }: Exchange,
    text: string,
    receivedMs: number,
  ): void {
    const tookMs = receivedMs - sentMs;
    tally.slowestMs = Math.max(tally.slowestMs, tookMs);
    if (!isAnswer(text, payload)) found.resolve(`"${payload}" was answered with ${text}`);
    else if (tookMs > REPLY_WITHIN_MS)
      found.resolve(`"${payload}" was answered after ${Math.round(tookMs)} ms`);
    else tally.answered += 1;
    settle(connection);
  }

  function settle(connection: Connection): void {
    open.get(connection)?.settle();
    open.delete(connection);
    if (connection !== kept) connection.close();
    if (open.size === 0) for (const tell of whenIdle) tell();
  }

  function send(connection: Connection): void {
    const payload = `bystander ${tally.requests}`;
    const timer = setTimeout(() => {
      found.resolve(`"${payload}" got no reply within ${REPLY_WITHIN_MS} ms`);
      settle(connection);
    }, REPLY_WITHIN_MS);
    open.set(connection, { payload, sentMs: performance.now(), settle: () => clearTimeout(timer) });
    tally.requests += 1;
    connection.send(formatRequest(CLIENT_ID, policy, payload));
  }

  const timer = setInterval(() => {
    const isKeptFree = !open.has(kept);
    send(isKeptFree && tally.requests % 2 === 0 ? kept : new Connection(target, events));
  }, EVERY_MS);
  return {
    tally: () => ({ ...tally }),
    problem: found.promise,
    stop: async () => {
      clearInterval(timer);
      if (open.size > 0) await new Promise<void>((resolve) => whenIdle.add(resolve));
      kept.close();
    },
  };
}

function isAnswer(text: string, payload: string): boolean {
  try {
    const reply = JSON.parse(text) as Record<string, unknown>;
    return reply.type === 2 && reply.destid === CLIENT_ID && reply.payload === hash('sha1', payload);
  } catch {
    return false;
  }
}
