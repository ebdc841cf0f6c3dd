// shell · one hostile connection: writes the bytes of an input, ends as the input says, and checks what comes back.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { resetConnection } from '../kit/reset-connection.ts';
import { chunksOf, type Input } from './draw.ts';
import { expectReplies, judgeReplies } from './expected-replies.ts';
import type { Header } from './proxy-headers.ts';

/** How long a client may take to finish a packet: the setting of the proxy. */
export const PACKET_TIMEOUT_MS = 2000;
/** The largest frame that the proxy takes. */
const MAX_FRAME_BYTES = 8192;
const MAX_CHUNKS = 6;
// Many times what it takes to be found too slow: only what hangs takes longer.
const OWED_WITHIN_MS = 30_000;
// A connection has so many requests in flight at a time, and each may take its time.
const REQUESTS_PER_ROUND = 128;
const ROUND_MS = 2250;

type Way = {
  port: number;
  /** Where it comes from: an address of this machine. */
  localAddress: string | undefined;
  /** What is sent before it, where that is a load balancer's. */
  header: Header | null;
};

/**
 * Sends one input over a connection of its own.
 * @returns what was wrong, or null, and how many replies came
 */
export async function tryInput(
  input: Input,
  { port, localAddress, header }: Way,
): Promise<{ problem: string | null; replies: number }> {
  const isEnded = input.ending === 'half-close';
  const expected = expectReplies(input.bytes, MAX_FRAME_BYTES, isEnded);
  const isRefused = header?.isRight === false;
  const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true, allowHalfOpen: true });
  const chunks: Buffer[] = [];
  let [replies, hasEnded, brokenBy] = [0, false, ''];
  const done = Promise.withResolvers<void>();
  const look = (): void => {
    const mustEnd = isEnded || isRefused || expected.isClosedByProxy;
    if (hasEnded || (!mustEnd && replies >= expected.replies.length)) done.resolve();
  };
  const onEnd = (): void => {
    hasEnded = true;
    look();
  };
  socket.on('end', onEnd).on('close', onEnd);
  socket.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    brokenBy = code ?? message;
  });
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    replies += chunk.toString('latin1').split('\n').length - 1;
    look();
  });
  try {
    await once(socket, 'connect');
    if (header !== null) socket.write(header.bytes);
    const isLate = await write(socket, input);
    // What the proxy says to a client that slow proves nothing.
    if (isLate || input.ending === 'reset' || input.ending === 'cut') {
      resetConnection(socket);
      return { problem: null, replies: 0 };
    }
    if (isEnded) socket.end();
    look();
    const rounds = Math.ceil(expected.requests / REQUESTS_PER_ROUND);
    const timer = setTimeout(done.reject, OWED_WITHIN_MS + rounds * ROUND_MS, new Error('it takes too long'));
    await done.promise.finally(() => clearTimeout(timer));
    const text = Buffer.concat(chunks).toString();
    if (isRefused) {
      const answered = `what a load balancer must not send was answered with: ${text}`;
      return { problem: text === '' ? null : answered, replies };
    }
    // A session that another registration takes over is ended while its peer still writes.
    if (brokenBy !== '' && !expected.hasSession)
      return { problem: `the connection was broken (${brokenBy}) after: ${text}`, replies };
    return { problem: judgeReplies(text, expected, isEnded || hasEnded), replies };
  } catch (error) {
    const owed = `${replies} of ${expected.replies.length} replies came`;
    const end = `and the connection ${hasEnded ? 'has ended' : 'is open'}`;
    return { problem: `${(error as Error).message}: ${owed}, ${end}`, replies };
  } finally {
    socket.destroy();
  }
}

// Returns whether this process was too slow. A turn of the loop between two writes, so that they arrive as chunks of their own.
async function write(socket: Socket, { bytes, cuts, ending }: Input): Promise<boolean> {
  const step = Math.ceil((cuts.length + 1) / MAX_CHUNKS);
  const few = cuts.filter((_, i) => i % step === 0);
  const chunks = chunksOf(bytes, few);
  const count = ending === 'cut' ? Math.ceil(chunks.length / 2) : chunks.length;
  const beganMs = performance.now();
  for (const chunk of chunks.slice(0, count)) {
    if (!socket.destroyed && chunk.length > 0) socket.write(chunk);
    await nextTurn();
  }
  return performance.now() - beganMs > PACKET_TIMEOUT_MS / 2;
}
