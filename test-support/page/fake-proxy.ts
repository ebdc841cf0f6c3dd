// A status listener without a proxy behind it: plays a scene to the page, goes silent or starts anew on command.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { ClusterEvent, Policy, Sample, Sent } from '../../services/proxy/page/browser/model/contract.ts';
import { findPage, PAGE_SECURITY_POLICY } from '../../services/proxy/page/files.ts';
import {
  clusterOf,
  detailOf,
  eventsOf,
  faultsOf,
  helloOf,
  historyOf,
  manyOf,
  type SceneName,
  stateOf,
} from './scenes.ts';

export type FakeProxy = {
  url: string;
  /** Packets that were sent and acts that were asked for, with the token. */
  asked: { path: string; body: unknown; token: string }[];
  /** Changes the scene; readers get it at once. */
  change: (change: (policies: Policy[]) => void) => void;
  /** Adds an event; readers get it at once. */
  tell: (event: Omit<ClusterEvent, 'seq'>) => void;
  /** Sends nothing more on any stream, as when the network is cut. */
  goSilent: () => void;
  /** Another start: numbers begin anew, streams are cut. */
  restart: () => void;
  close: () => void;
};

const SAMPLES_PER_BATCH = 2;
const BATCH_MS = 100;

/** Starts it on a port of its own. */
export async function startFakeProxy(scene: SceneName, port = 0): Promise<FakeProxy> {
  const page = findPage();
  const readers = new Set<ServerResponse>();
  const asked: FakeProxy['asked'] = [];
  let boot = 'one';
  let startedMs = Date.now() - 11_520_000;
  let isSilent = false;
  let sent = 0;
  const beganMs = Date.now();
  const faults = scene === 'cluster' ? faultsOf(beganMs) : [];
  const policies = scene === 'cluster' ? clusterOf(beganMs) : scene === 'many' ? manyOf(beganMs) : [];
  const events = eventsOf(policies, beganMs);
  const write = (reader: ServerResponse, name: string, data: object, id = ''): void => {
    if (!isSilent) reader.write(`${id}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  const toAll = (name: string, data: object): void => {
    for (const reader of readers) write(reader, name, data);
  };
  const tellState = (): void => toAll('state', stateOf(policies, Date.now()));
  const open = (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    readers.add(response);
    response.on('close', () => readers.delete(response));
    write(response, 'hello', helloOf(boot, startedMs));
    write(response, 'state', stateOf(policies, Date.now()));
    for (const fault of faults) write(response, 'fault', fault);
    for (const event of events) write(response, 'event', event, `id: ${boot}-${event.seq}\n`);
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = new URL(request.url ?? '/', 'http://x').pathname;
    const reply = (body: object, status = 200): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    response.setHeader('content-security-policy', PAGE_SECURITY_POLICY);
    if (request.method === 'POST') {
      const body = await json(request);
      const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
      asked.push({ path, body, token });
      if (path === '/api/send') return reply(sentReply(policies, body as { policy: string }));
      return token === 'secret'
        ? reply({ done: [body] })
        : reply({ error: 'The token is not the right one.' }, 403);
    }
    if (path === '/api/stream') return isSilent ? void response.destroy() : open(response);
    if (path === '/api/history') return reply(historyOf(policies, Date.now()));
    const [, policy, id] = /^\/api\/servers\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
    const row = policies
      .find((each) => each.policy === policy)
      ?.servers.find((each) => String(each.id) === id);
    if (row !== undefined) return reply(detailOf(row, events, Date.now()));
    const file = page.file(path);
    if (file === null) return reply({ error: 'nothing here' }, 404);
    response.writeHead(200, { 'content-type': file.type }).end(file.body);
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const everySecond = setInterval(() => {
    if (scene !== 'empty') for (const policy of policies) turn(policy, Date.now() - beganMs);
    tellState();
  }, 1000);
  const everyBatch = setInterval(() => {
    const samples = Array.from({ length: SAMPLES_PER_BATCH }, () => sampleOf(policies, sent++)).filter(
      (each) => each !== null,
    );
    if (samples.length > 0) toAll('sample', { share: scene === 'many' ? 183 : 35, samples });
  }, BATCH_MS);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    asked,
    change: (change) => {
      change(policies);
      tellState();
    },
    tell: (event) => {
      const numbered = { ...event, seq: (events.at(-1)?.seq ?? 0) + 1 };
      events.push(numbered);
      toAll('event', numbered);
    },
    goSilent: () => {
      isSilent = true;
    },
    restart: () => {
      isSilent = false;
      boot = `${boot}x`;
      startedMs = Date.now();
      for (const reader of readers) reader.destroy();
    },
    close: () => {
      clearInterval(everySecond);
      clearInterval(everyBatch);
      server.closeAllConnections();
      server.close();
    },
  };
}

function turn(policy: Policy, passedMs: number): void {
  const ready = policy.servers.filter(({ state, ordered }) => state === 'ready' && ordered === 'none');
  const second = Math.round(passedMs / 1000);
  policy.nextId = ready[(second + Number(policy.policy)) % Math.max(1, ready.length)]?.id ?? null;
  for (const [at, server] of policy.servers.entries()) {
    if (server.state === 'ready' && server.ordered === 'none')
      server.requestsPerS = Math.max(0, server.requestsPerS + Math.sin(second + at) / 2);
    if (server.lastProbe !== null)
      server.lastProbe = { ...server.lastProbe, atMs: Date.now() - ((at * 337) % 900) };
    if (server.next !== null && 'nextProbeMs' in server.next)
      server.next.nextProbeMs = Date.now() + ((at * 337) % 900) + 90;
  }
}

function sampleOf(policies: readonly Policy[], number: number): Sample | null {
  const policy = policies[number % Math.max(1, policies.length)];
  const ready = policy?.servers.filter(({ state, ordered }) => state === 'ready' && ordered === 'none') ?? [];
  const server = ready[Math.floor(number / policies.length) % Math.max(1, ready.length)];
  if (policy === undefined || server === undefined) return null;
  return { policy: policy.policy, id: server.id };
}

function sentReply(policies: readonly Policy[], { policy }: { policy: string }): Sent {
  const servers = policies.find((each) => each.policy === policy)?.servers ?? [];
  const [first, last] = [servers[1], servers.at(-1)];
  if (first === undefined || last === undefined) {
    const raw = '{"type":-1,"code":"NO_SERVER"}';
    return {
      ok: false,
      reply: JSON.parse(raw) as object,
      raw,
      server: null,
      attempts: [],
      phases: { connectMs: 0.1, totalMs: 501.2 },
    };
  }
  const raw = `{"type":2,"srcid":"${last.id}","destid":900,"payloadsize":40,"payload":"b91f0c7ad3e85516f2a9c07be4d81f3360a57c2e"}`;
  return {
    ok: true,
    reply: JSON.parse(raw) as object,
    raw,
    server: { id: last.id },
    attempts: [
      { id: first.id, outcome: 'failed, moved on' },
      { id: last.id, outcome: 'answered', ms: 2.9 },
    ],
    phases: { connectMs: 0.1, queueMs: 500.3, upstreamMs: 2.9, totalMs: 503.4 },
  };
}
