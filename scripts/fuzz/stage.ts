// shell · what is attacked over sockets: a real proxy and real servers, each in a process of its own.
// Must never let a process outlive the run, or miss a word of the proxy's about an error of its own.
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { formatRequest } from '../../services/shared/packet.ts';
import { Failure } from '../kit/failure.ts';
import { type RunningProcess, startProcess, within } from '../kit/process.ts';
import { ROOT } from '../kit/project.ts';
import { startProxyProcess } from '../kit/proxy-process.ts';

const SERVER_MAIN = join(ROOT, 'services', 'server', 'main.ts');
const SERVERS = 2;
const READY_WITHIN_MS = 20_000;

/** How long a packet may take from its first byte to its last. */
export const PACKET_TIMEOUT_MS = 2000;

// Short times, so that an input which has to wait for one does not take half a minute.
const ENVIRONMENT = {
  PROXY_CLIENT_TIMEOUT: String(PACKET_TIMEOUT_MS),
  PROXY_HOLD: '20',
  PROXY_STARTUP_HOLD: '0',
  // All of them come from a few addresses.
  PROXY_MAX_SETUPS_PER_SOURCE: '0',
};

export type Stage = {
  port: number;
  /** How the proxy ended, or its own words about an error, as soon as there are any. */
  broke: Promise<string>;
  /** Ends everything. @returns what was wrong with the proxy's end, or null */
  stop(): Promise<string | null>;
};

/**
 * Starts a proxy and two servers of `policy`, and waits until they serve it.
 * @throws Failure when they do not
 */
export async function setStage(policy: string, signal: AbortSignal): Promise<Stage> {
  const proxy = await startProxyProcess({ environment: ENVIRONMENT, signal });
  const broken = Promise.withResolvers<string>();
  let rest = '';
  // Not by readline: it takes U+2028 for the end of a line too, and ids may hold one.
  (proxy.child.stderr as Readable).setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    const alarming = lines.find(isAlarming);
    if (alarming !== undefined) broken.resolve(`the proxy said: ${alarming}`);
  });
  let isStopping = false;
  void proxy.ended.then((how) => {
    if (!isStopping) broken.resolve(`the proxy has ended: ${how}\n${proxy.tail()}`);
  });
  const servers: RunningProcess[] = [];
  const stop = async (): Promise<string | null> => {
    isStopping = true;
    await proxy.stop();
    await Promise.all(servers.map((server) => server.stop()));
    const how = await proxy.ended;
    return how === 'exit code 0' ? null : `the proxy did not stop in good order: ${how}\n${proxy.tail()}`;
  };
  try {
    const ids = Array.from({ length: SERVERS }, (_, i) => `served-${i + 1}`);
    servers.push(...(await Promise.all(ids.map((id) => startServer(id, policy, proxy.port, signal)))));
    await serves(proxy.port, policy, signal);
  } catch (error) {
    await stop();
    throw error;
  }
  return { port: proxy.port, broke: broken.promise, stop };
}

async function startServer(
  id: string,
  policy: string,
  proxyPort: number,
  signal: AbortSignal,
): Promise<RunningProcess> {
  const env = {
    PATH: process.env.PATH ?? '',
    SERVER_ID: id,
    SERVER_POLICY: policy,
    SERVER_PORT: '0',
    SERVER_HOST: '127.0.0.1',
    SERVER_PROXY: `127.0.0.1:${proxyPort}`,
  };
  const ready = { readyLine: /listening/, env, signal, deadlineMs: READY_WITHIN_MS };
  return await startProcess(process.execPath, [SERVER_MAIN], ready);
}

// A server registers by itself, a moment after it listens: the first answer is the sign.
async function serves(port: number, policy: string, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + READY_WITHIN_MS;
  while (performance.now() < deadlineMs) {
    signal.throwIfAborted();
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => {});
    socket.write(formatRequest('bystander', policy, 'ready?'));
    const [reply] = (await within(once(socket, 'data'), READY_WITHIN_MS)) ?? [''];
    socket.destroy();
    if (String(reply).startsWith('{"type":2')) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Failure('The servers did not come into rotation.', 'See whether "npm run server" works.');
}

// The log is JSON; anything else is Node itself: a warning, or the stack of an error that nobody has caught.
function isAlarming(line: string): boolean {
  if (line.trim() === '') return false;
  try {
    return (JSON.parse(line) as { level?: unknown }).level === 'error';
  } catch {
    return true;
  }
}
