// A worker: a server of the old kind, one thread that accepts, reads once, parses, digests, writes and closes.
// All of it happens within the callback of one connection, on its bare descriptor, so that nothing is accepted meanwhile:
// Node takes one connection from the kernel's queue for each such callback, and the queue is as short as `backlog` says.
// What kills Python's json and str.encode kills it too: half a packet, arrays a thousand deep, half a surrogate pair.
import { hash } from 'node:crypto';
import { readSync, writeSync } from 'node:fs';
import net from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

export type OldServerOptions = {
  id: number;
  backlog: number;
  /** What it asks of its one read. */
  readBytes: number;
  /** How long it works on each request. */
  workMs: number;
  /** How long after its answer it closes; meanwhile it takes no other client. */
  closesAfterMs: number;
};

// Python's own limit, less the frames that a program has on its stack anyway.
const MAX_DEPTH = 990;
const POLL_MS = 0.1;
const { id, backlog, readBytes, workMs, closesAfterMs } = workerData as OldServerOptions;
const never = new Int32Array(new SharedArrayBuffer(4));

const server = net.createServer({ pauseOnConnect: true }, (socket) => {
  socket.on('error', () => {});
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  try {
    const text = readOnce(fd);
    if (text !== '') writeOnce(fd, answerTo(text));
    pause(closesAfterMs);
  } catch {
    process.exit(1);
  }
  socket.destroy();
});
server.listen({ port: 0, host: '127.0.0.1', backlog }, () => {
  parentPort?.postMessage((server.address() as net.AddressInfo).port);
});

function answerTo(text: string): string {
  if (depthOf(text) > MAX_DEPTH) throw new RangeError('maximum recursion depth exceeded');
  const { srcid, payload } = JSON.parse(text.replaceAll('\0', '')) as { srcid: unknown; payload: string };
  if (!payload.isWellFormed()) throw new TypeError("'utf-8' codec can't encode: surrogates not allowed");
  pause(workMs);
  const digest = hash('sha1', payload);
  return JSON.stringify({ type: 2, srcid: id, destid: srcid, payloadsize: 40, payload: digest });
}

function pause(ms: number): void {
  if (ms > 0) Atomics.wait(never, 0, 0, ms);
}

function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const character of text) {
    if (character === '[' || character === '{') depth += 1;
    else if (character === ']' || character === '}') depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

// Empty when the peer has gone without a word.
function readOnce(fd: number): string {
  const bytes = Buffer.alloc(readBytes);
  while (true) {
    try {
      return bytes.toString('utf8', 0, readSync(fd, bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return '';
      pause(POLL_MS);
    }
  }
}

function writeOnce(fd: number, text: string): void {
  try {
    writeSync(fd, text);
  } catch {
    // Its peer has reset the connection.
  }
}
