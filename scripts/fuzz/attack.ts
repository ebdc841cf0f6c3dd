// shell · one hostile connection: writes the bytes of an input, ends as the input says, and looks at what comes back.
// Must never wait without a deadline, or leave its socket open.
import { connect, type Socket } from 'node:net';
import { type Expected, expectReplies, judgeReplies } from './expected-replies.ts';
import { chunksOf, type Input } from './inputs/input.ts';
import { PACKET_TIMEOUT_MS } from './stage.ts';

const MAX_CHUNKS = 6;
const OWED_WITHIN_MS = 6000;
const ROUND_MS = 2250;
// A connection has so many requests in flight at a time.
const REQUESTS_PER_ROUND = 128;

export type Attack = {
  port: number;
  /** The largest frame that the proxy takes. */
  maxFrameBytes: number;
  /** An address of this machine that no real server has, or null where there is only one. */
  localAddress: string | null;
};

export type Assault = {
  /** What was wrong, or null. */
  problem: string | null;
  replies: number;
};

/** Sends one input over a connection of its own. */
export async function attack(input: Input, { port, maxFrameBytes, localAddress }: Attack): Promise<Assault> {
  const isEnded = input.ending === 'half-close';
  const expected = expectReplies(input.bytes, maxFrameBytes, isEnded);
  const socket = connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    allowHalfOpen: true,
    ...(localAddress === null ? {} : { localAddress }),
  });
  const hearing = listen(socket);
  try {
    await hearing.connected;
    const beganMs = performance.now();
    await write(socket, input);
    // On a machine as busy as that it is we who are too slow, and what the proxy says to it proves nothing.
    const isLate = performance.now() - beganMs > PACKET_TIMEOUT_MS / 2;
    if (isLate || input.ending === 'reset' || input.ending === 'cut') {
      socket.resetAndDestroy();
      return { problem: null, replies: 0 };
    }
    if (isEnded) socket.end();
    const isSilent = await hearing.isDone(expected, isEnded);
    const problem = isSilent ? silence(expected, hearing.count()) : judge(expected, hearing, isEnded);
    return { problem, replies: hearing.count() };
  } catch (error) {
    return { problem: `the connection failed: ${(error as Error).message}`, replies: 0 };
  } finally {
    socket.destroy();
  }
}

function judge(expected: Expected, hearing: Hearing, isEnded: boolean): string | null {
  const brokenBy = hearing.brokenBy();
  // A session that another registration takes over is ended while its peer still writes.
  if (brokenBy !== null && !expected.isLoose)
    return `the connection was broken (${brokenBy}) after: ${hearing.text()}`;
  const isOver = isEnded || hearing.hasEnded();
  return judgeReplies(hearing.text(), expected, isOver);
}

function silence({ replies, isClosedByProxy }: Expected, got: number): string {
  const owed = `${got} of ${replies.length} replies`;
  return `${owed}${isClosedByProxy ? ' and no close' : ''} within the time that they may take`;
}

type Hearing = {
  connected: Promise<void>;
  text(): string;
  count(): number;
  hasEnded(): boolean;
  brokenBy(): string | null;
  /** Resolves with true when what is owed has not come in time. */
  isDone(expected: Expected, isEnded: boolean): Promise<boolean>;
};

function listen(socket: Socket): Hearing {
  const chunks: Buffer[] = [];
  const connected = Promise.withResolvers<void>();
  let lines = 0;
  let hasEnded = false;
  let brokenBy: string | null = null;
  let look = (): void => {};
  socket.on('connect', () => connected.resolve());
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines += 1;
    look();
  });
  socket.on('end', () => {
    hasEnded = true;
    look();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    brokenBy = error.code ?? error.message;
    connected.reject(error);
    look();
  });
  socket.on('close', () => {
    hasEnded = true;
    look();
  });
  return {
    connected: connected.promise,
    text: () => Buffer.concat(chunks).toString(),
    count: () => lines,
    hasEnded: () => hasEnded,
    brokenBy: () => brokenBy,
    isDone: (expected, isEnded) => {
      const mustEnd = isEnded || expected.isClosedByProxy;
      const isEnough = (): boolean => hasEnded || (!mustEnd && lines >= expected.replies.length);
      const done = Promise.withResolvers<boolean>();
      const rounds = Math.ceil(expected.requests / REQUESTS_PER_ROUND);
      const timer = setTimeout(() => done.resolve(true), OWED_WITHIN_MS + rounds * ROUND_MS);
      look = () => {
        if (isEnough()) done.resolve(false);
      };
      look();
      return done.promise.finally(() => clearTimeout(timer));
    },
  };
}

// A turn of the loop between two writes, so that they arrive as chunks of their own.
async function write(socket: Socket, { bytes, cuts, ending }: Input): Promise<void> {
  const step = Math.ceil((cuts.length + 1) / MAX_CHUNKS);
  const chunks = chunksOf(
    bytes,
    cuts.filter((_, i) => i % step === 0),
  );
  const written = ending === 'cut' ? chunks.slice(0, Math.ceil(chunks.length / 2)) : chunks;
  for (const chunk of written) {
    if (socket.destroyed) return;
    if (chunk.length > 0) socket.write(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
