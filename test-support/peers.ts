// Scripted TCP peers, which tests use in place of clients, servers and proxies: without the framing that is under test.
import { once } from 'node:events';
import net from 'node:net';
import { resetConnection } from '../scripts/kit/reset-connection.ts';

/** A packet as a test sees it: parsed, not understood. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at fields that may or may not be there
export type Frame = Record<string, any>;

/** Every wait of a test ends after this long unless a test says otherwise: long enough for a machine that is busy with others. */
export const PATIENCE_MS = 20_000;

export type Peer = {
  readonly socket: net.Socket;
  /** Resolves when the connection stands. */
  connected(timeoutMs?: number): Promise<void>;
  /** Everything that has come so far, decoded from UTF-8. */
  received(): string;
  /** Sends bytes as they are, or an object as one line of JSON. */
  send(what: string | Uint8Array | object): void;
  /** The next JSON object; rejects at the deadline, and when the connection ends first. */
  nextFrame(timeoutMs?: number): Promise<Frame>;
  /** Frames that have come and that nobody took. */
  pendingFrames(): number;
  /** How the connection ended: `fin` when the other side said so, else the code, such as `ECONNRESET`. */
  ended(timeoutMs?: number): Promise<string>;
  /** Half-closes: sends FIN, goes on reading. */
  close(): void;
  /** Sends RST. */
  reset(): void;
};

export type ScriptedServer = {
  readonly port: number;
  /** Every connection so far, in the order of arrival, ended ones included. */
  readonly connections: Peer[];
  /** The next connection that no earlier call has returned. */
  nextConnection(timeoutMs?: number): Promise<Peer>;
  /** Stops listening and destroys every connection: what the death of a process looks like. */
  close(): Promise<void>;
};

/** `promise`, or a rejection that says what was waited for. */
export async function within<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Whether `ms` have passed since now, by a timer of this process. Another timer for as long that is set later ends later,
 * however busy the machine is.
 */
export function timer(ms: number): () => boolean {
  let isOver = false;
  setTimeout(() => {
    isOver = true;
  }, ms).unref();
  return () => isOver;
}

/** Connects to `port`. What is sent before the connection stands is sent then. */
export function connectPeer(port: number, host = '127.0.0.1'): Peer {
  return peerOf(net.connect({ port, host, allowHalfOpen: true, noDelay: true }));
}

/** The same from another address of this machine. */
export function peerFrom(localAddress: string, port: number): Peer {
  return peerOf(net.connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true, noDelay: true }));
}

/**
 * A server whose every connection is handed to `script`.
 * @param script what to do with a connection; `index` counts from 0
 */
export async function scriptedServer(
  script: (peer: Peer, index: number) => void = () => {},
  { port = 0, host = '127.0.0.1' } = {},
): Promise<ScriptedServer> {
  const connections: Peer[] = [];
  const queue = waitingQueue<Peer>();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const peer = peerOf(socket);
    connections.push(peer);
    queue.put(peer);
    script(peer, connections.length - 1);
  });
  server.listen(port, host);
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    connections,
    nextConnection: (timeoutMs = PATIENCE_MS) => queue.take(timeoutMs, 'connection'),
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const { socket } of connections) socket.destroy();
      await closed;
    },
  };
}

/** A port that was free a moment ago, for peers that are not there yet. */
export async function freePort(): Promise<number> {
  const server = await scriptedServer();
  await server.close();
  return server.port;
}

/** A free port that no outgoing connection takes: thousands of short ones use those from 32768 on. */
export async function freePortBelowEphemeral(): Promise<number> {
  for (let tries = 0; tries < 50; tries += 1) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const taken = await scriptedServer(() => {}, { port }).catch(() => null);
    if (taken === null) continue;
    await taken.close();
    return port;
  }
  throw new Error('no free port was found between 20000 and 30000');
}

function peerOf(socket: net.Socket): Peer {
  const decoder = new TextDecoder();
  const queue = waitingQueue<Frame>();
  const pieces: string[] = [];
  let rest = '';
  let ending: string | null = null;
  const ended = new Promise<string>((resolve) => {
    const end = (how: string) => {
      ending ??= how;
      queue.fail(new Error(`the connection ended (${ending}) after: ${pieces.join('')}`));
      resolve(ending);
    };
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.on('end', () => end('fin'));
    socket.on('close', () => end('closed'));
  });
  socket.on('data', (chunk: Buffer) => {
    const text = decoder.decode(chunk, { stream: true });
    pieces.push(text);
    rest += text;
    let taken = 0;
    for (let end = frameEnd(rest, 0); end !== -1; end = frameEnd(rest, taken)) {
      queue.put(JSON.parse(rest.slice(taken, end)));
      taken = end;
    }
    rest = rest.slice(taken);
  });
  return {
    socket,
    connected: async (timeoutMs = PATIENCE_MS) => {
      if (socket.connecting) await within(once(socket, 'connect'), timeoutMs, 'connection');
    },
    received: () => pieces.join(''),
    send: (what) => {
      const isBytes = typeof what === 'string' || what instanceof Uint8Array;
      socket.write(isBytes ? what : `${JSON.stringify(what)}\n`);
    },
    nextFrame: (timeoutMs = PATIENCE_MS) => queue.take(timeoutMs, 'frame'),
    pendingFrames: () => queue.size(),
    ended: (timeoutMs = PATIENCE_MS) => within(ended, timeoutMs, 'end of the connection'),
    close: () => socket.end(),
    reset: () => resetConnection(socket),
  };
}

// Where the first JSON object from `from` on ends, or -1: plain on purpose, to be right rather than fast.
function frameEnd(text: string, from: number): number {
  let depth = 0;
  let isInString = false;
  for (let i = from; i < text.length; i += 1) {
    const character = text[i];
    if (isInString) {
      if (character === '\\') i += 1;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === '{') depth += 1;
    else if (character === '}') {
      depth -= 1;
      if (depth === 0) return i + 1;
    }
  }
  return -1;
}

function waitingQueue<T>() {
  const items: T[] = [];
  const takers: { resolve: (item: T) => void; reject: (error: Error) => void }[] = [];
  let failure: Error | null = null;
  return {
    size: () => items.length,
    put(item: T): void {
      const taker = takers.shift();
      if (taker === undefined) items.push(item);
      else taker.resolve(item);
    },
    fail(error: Error): void {
      failure ??= error;
      for (const taker of takers.splice(0)) taker.reject(error);
    },
    take(timeoutMs: number, what: string): Promise<T> {
      const item = items.shift();
      if (item !== undefined) return Promise.resolve(item);
      if (failure !== null) return Promise.reject(failure);
      let taker: (typeof takers)[number] | undefined;
      const waiting = new Promise<T>((resolve, reject) => {
        taker = { resolve, reject };
        takers.push(taker);
      });
      return within(waiting, timeoutMs, what).catch((error) => {
        const at = taker === undefined ? -1 : takers.indexOf(taker);
        if (at !== -1) takers.splice(at, 1);
        throw error;
      });
    },
  };
}
