// The proxy that is measured, in a process of its own, and the one server that it needs, in this one. Time does not decide
// what the proxy does: no health check and no collection of garbage falls into a measure.
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { type ProxyProcess, startProxyProcess } from '../../scripts/kit/proxy-process.ts';
import { Announcement } from '../../services/server/announce.ts';
import { AnswerServer } from '../../services/server/answer.ts';
import { createResolver } from '../../services/shared/addresses.ts';
import { systemClock } from '../../services/shared/clock.ts';
import { formatAnswer, formatRequest, formatSetup } from '../../services/shared/packet.ts';
import { type Exchange, type Lockstep, send } from './client.ts';
import type { Order, Reading } from './marks.ts';

// The heap is so large that nothing is collected while requests are counted, and V8 is not to collect because it is idle.
// Its optimising compilers take some of what the code allocates away, at moments of their own choosing: without them a
// request costs the same in every run, and what somebody adds to the code is always seen.
const NODE_FLAGS = [
  `--import=${new URL('./inside.ts', import.meta.url).href}`,
  '--expose-gc',
  '--min-semi-space-size=128',
  '--max-semi-space-size=128',
  '--no-memory-reducer',
  '--no-opt',
  '--no-maglev',
];
const ENVIRONMENT = { PROXY_HEALTH_INTERVAL: '3600000' };
const SERVER_ID = 1;
const CLIENT_ID = 111;
const POLICY = '1';
const PAYLOAD = 'policy-proxy '.repeat(5).slice(0, 64);
const REPLY_WITHIN_MS = 20_000;
const LEAVE_MS = 2_000;

const EXCHANGE: Exchange = {
  request: formatRequest(CLIENT_ID, POLICY, PAYLOAD),
  answer: formatAnswer(SERVER_ID, CLIENT_ID, hash('sha1', PAYLOAD)),
};

export type MeasuredProxy = {
  /** Sends requests that are not counted. */
  warmUp(lockstep: Lockstep): Promise<void>;
  /** What these requests cost the proxy. */
  measure(name: string, lockstep: Lockstep): Promise<Reading>;
  /** Stops both. */
  stop(): Promise<void>;
};

export type ProxySettings = {
  /** What the proxy is started by: a tracer with its options. */
  tracer?: readonly string[];
  /** Settings of the proxy that differ from the defaults. */
  environment?: Readonly<Record<string, string>>;
  signal: AbortSignal;
};

/** Starts a proxy and a server, which has registered when this resolves. */
export async function startMeasuredProxy({
  tracer = [],
  environment = {},
  signal,
}: ProxySettings): Promise<MeasuredProxy> {
  const proxy = await startProxyProcess({
    tracer,
    nodeFlags: NODE_FLAGS,
    environment: { ...ENVIRONMENT, ...environment },
    hasChannel: true,
    signal,
  });
  const leave = await startServer(proxy.port);
  return {
    warmUp: (lockstep) => send(proxy.port, EXCHANGE, lockstep),
    measure: async (name, lockstep) => {
      signal.throwIfAborted();
      await ask(proxy, { kind: 'begin', name }, signal);
      await send(proxy.port, EXCHANGE, lockstep);
      return (await ask(proxy, { kind: 'end', name }, signal)) as Reading;
    },
    stop: async () => {
      await leave();
      await proxy.stop();
    },
  };
}

// A request that comes before the server has registered waits for it.
async function startServer(proxyPort: number): Promise<() => Promise<void>> {
  const server = new AnswerServer(SERVER_ID);
  const listenPort = await server.listen(0, '127.0.0.1');
  const setup = formatSetup({
    id: SERVER_ID,
    policy: POLICY,
    listenPort,
    incarnation: 'cost',
  });
  const announcement = new Announcement({
    proxies: [{ host: '127.0.0.1', port: proxyPort }],
    serverId: SERVER_ID,
    setup: () => setup,
    resolve: createResolver(),
    clock: systemClock,
    log: () => {},
  });
  announcement.start();
  return async () => {
    await announcement.leave(LEAVE_MS);
    await server.drain(LEAVE_MS);
  };
}

async function ask({ child }: ProxyProcess, order: Order, signal: AbortSignal): Promise<unknown> {
  const deadline = AbortSignal.timeout(REPLY_WITHIN_MS);
  const replied = once(child, 'message', { signal: AbortSignal.any([signal, deadline]) });
  child.send(order);
  const [reply] = await replied;
  return reply;
}
