// shell · a worker: many registered servers in one process, on one port. Their loopback hosts tell them apart.
// Must never answer a request wrongly, or leave a heartbeat without an echo: both would change what is measured.
import { hash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { FrameReader } from '../../../services/shared/framing.ts';
import { isHealthProbe } from '../../../services/shared/health-probe.ts';
import {
  formatAnswer,
  formatHeartbeat,
  parseFromProxy,
  parsePacket,
} from '../../../services/shared/packet.ts';
import { answerCalls } from './calls.ts';
import { type StubServer, stubServers, stubSetup } from './stub-plan.ts';

const LISTENERS = 8;
const BACKLOG = 4096;
const REGISTERING_AT_ONCE = 128;
const REPLY_WITHIN_MS = 3_000;
const COME_BACK_MS = 1_000;

export type StubRegistration = {
  proxyPort: number;
  listenPort: number;
  first: number;
  count: number;
  policies: number;
  /** The first so many keep a session. */
  sessions: number;
  /** Registrations are spread over this time, so that the probes are spread over their interval. */
  spreadMs: number;
  /** Who is not registered after so long, is not tried again. */
  deadlineMs: number;
};

export type StubCalls = {
  register: {
    argument: StubRegistration;
    reply: { registered: number; elapsedMs: number; failures: readonly string[] };
  };
  /** Requests answered so far, the proxy's probes apart; `atMs` is monotonic. */
  counts: { argument: object; reply: { atMs: number; probes: number; requests: number } };
};

const incarnation = randomUUID();
let probes = 0;
let requests = 0;
const failures = new Set<string>();

answerCalls<StubCalls>({
  register,
  counts: () => ({ atMs: performance.now(), probes, requests }),
});

async function register(plan: StubRegistration): Promise<StubCalls['register']['reply']> {
  const servers = stubServers(plan.first, plan.count, plan.policies);
  await listen(plan.listenPort, new Map(servers.map(({ host, id }) => [host, id])));
  const startedMs = performance.now();
  const endMs = startedMs + plan.deadlineMs;
  let next = 0;
  let registered = 0;
  const registerOthers = async (): Promise<void> => {
    while (next < servers.length && performance.now() < endMs) {
      const at = next;
      next += 1;
      const dueMs = startedMs + (plan.spreadMs * at) / servers.length;
      if (dueMs > performance.now()) await sleep(dueMs - performance.now());
      if (await join(servers[at] as StubServer, plan, at < plan.sessions, endMs)) registered += 1;
    }
  };
  await Promise.all(Array.from({ length: REGISTERING_AT_ONCE }, registerOthers));
  return { registered, elapsedMs: performance.now() - startedMs, failures: [...failures] };
}

// Tries again when it is not heard, as real servers do.
async function join(
  server: StubServer,
  plan: StubRegistration,
  hasSession: boolean,
  endMs: number,
): Promise<boolean> {
  while (!(await registerOne(server, plan, hasSession))) {
    if (performance.now() >= endMs) return false;
    await sleep(COME_BACK_MS);
  }
  return true;
}

// Resolves when the proxy has replied, or failed to.
function registerOne(server: StubServer, plan: StubRegistration, hasSession: boolean): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const reader = new FrameReader();
  let isRegistered = false;
  const socket = net.connect({
    host: '127.0.0.1',
    port: plan.proxyPort,
    localAddress: server.host,
    noDelay: true,
  });
  const timer = setTimeout(() => {
    failures.add('no reply in time');
    socket.destroy();
  }, REPLY_WITHIN_MS);
  socket.on('connect', () => socket.write(stubSetup(server, plan.listenPort, incarnation, hasSession)));
  socket.on('error', (error: NodeJS.ErrnoException) => failures.add(error.code ?? error.message));
  socket.on('data', (chunk) => {
    reader.feed(chunk);
    while (reader.next()) {
      const packet = parseFromProxy(reader.bytes.toString('utf8', reader.start, reader.end));
      if (packet.kind === 'heartbeat') socket.write(formatHeartbeat(server.id));
      if (packet.kind === 'error') failures.add(packet.sentence);
      if (packet.kind !== 'registered') continue;
      clearTimeout(timer);
      isRegistered = true;
      resolve(true);
      if (!hasSession) socket.destroy();
    }
  });
  socket.on('close', () => {
    clearTimeout(timer);
    resolve(false);
    // Its session has ended: it comes back for as long as it takes.
    if (isRegistered && hasSession) void join(server, plan, hasSession, Number.POSITIVE_INFINITY);
  });
  return promise;
}

// Node accepts one connection per listening socket and turn of its loop, so several sockets share the port.
async function listen(port: number, ids: ReadonlyMap<string, string>): Promise<void> {
  for (let opened = 0; opened < LISTENERS; opened += 1) {
    const server = net.createServer({ noDelay: true }, (socket) => serve(socket, ids));
    server.listen({ host: '0.0.0.0', port, backlog: BACKLOG, reusePort: true });
    await once(server, 'listening');
    // Out of files, say: who can't be accepted is refused, and the probes tell.
    server.on('error', () => {});
  }
}

function serve(socket: net.Socket, ids: ReadonlyMap<string, string>): void {
  const reader = new FrameReader();
  const id = ids.get(socket.localAddress ?? '') ?? 'stub';
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    let answers = '';
    reader.feed(chunk);
    while (reader.next()) {
      const packet = parsePacket(reader.bytes.toString('utf8', reader.start, reader.end));
      if (packet.kind !== 'request') continue;
      if (isHealthProbe(packet)) probes += 1;
      else requests += 1;
      answers += formatAnswer(id, packet.clientId, hash('sha1', packet.payload));
    }
    if (answers !== '') socket.write(answers);
  });
}
