// shell · hostile connections against a running proxy, many at a time, while a normal client checks that it is served.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitForServers } from '../kit/policies.ts';
import { type RunningProcess, startProcess } from '../kit/process.ts';
import { ROOT } from '../kit/project.ts';
import { startProxyProcess } from '../kit/proxy-process.ts';
import { drawInput } from './draw.ts';
import { PACKET_TIMEOUT_MS, tryInput } from './hostile-connection.ts';
import type { Job, NumberedFinding } from './in-process.ts';
import { type NormalTally, startNormalClient } from './normal-client.ts';
import { HEADERS, type Header } from './proxy-headers.ts';

const AT_A_TIME = 128;
const PROGRESS_EVERY = 1000;
// Each has ports of its own: those of closed connections are not free again for a minute.
const ADDRESSES =
  process.platform === 'linux' ? Array.from({ length: 8 }, (_, i) => `127.0.0.${i + 2}`) : [undefined];
// Every so many inputs one comes from a load balancer, with a PROXY header before it.
const BALANCED_EVERY = 8;
const BALANCER = process.platform === 'linux' ? '127.0.0.10' : undefined;
const SERVER_MAIN = join(ROOT, 'services', 'server', 'main.ts');
const HOST = '127.0.0.1';
const SERVER_IDS = ['served-1', 'served-2'];
const READY_WITHIN_MS = 20_000;
const LAST_WORDS_MS = 50;
// The log is JSON; anything else is Node itself: a warning, or the stack of an error that was not caught.
const HARMLESS = /^\{.*"level":"(debug|info|warn)".*\}$/;
// Short times, so that an input which has to wait for one does not take half a minute.
const SETTINGS = {
  PROXY_CLIENT_TIMEOUT: String(PACKET_TIMEOUT_MS),
  PROXY_HOLD: '20',
  PROXY_STARTUP_HOLD: '0',
  // All of them come from a few addresses.
  PROXY_MAX_SETUPS_PER_SOURCE: '0',
  PROXY_PROXY_PROTOCOL: BALANCER ?? '',
};

export type SocketsTally = {
  inputs: number;
  replies: number;
  normal: NormalTally;
  /** Its numbers are those of the inputs that were under way. */
  finding: NumberedFinding | null;
};

/** Attacks a proxy of its own, which has two servers. @throws Failure when they do not start */
export async function fuzzOverSockets(job: Job): Promise<SocketsTally> {
  const { signal } = job;
  // A name that no input can hold: no other server can register for it.
  const policy = `served-${randomBytes(8).toString('hex')}`;
  const attack = new Attack(job);
  const onLine = (line: string): void => {
    if (!HARMLESS.test(line)) attack.end('the proxy says no error', line);
  };
  const proxy = await startProxyProcess({ environment: SETTINGS, onLine, signal });
  const running: RunningProcess[] = [proxy];
  let isStopping = false;
  void proxy.ended.then((how) => {
    if (!isStopping) attack.end('the proxy stays up', `${how}\n${proxy.tail()}`);
  });
  let normal: NormalTally;
  try {
    const env = { PATH: process.env.PATH, SERVER_HOST: HOST, SERVER_PROXY: `${HOST}:${proxy.port}` };
    for (const id of SERVER_IDS) {
      const args = [SERVER_MAIN, id, policy, '0'];
      running.push(await startProcess(process.execPath, args, { readyLine: /listening/, env, signal }));
    }
    const { adminUrl } = proxy;
    await waitForServers({ adminUrl, count: SERVER_IDS.length, timeoutMs: READY_WITHIN_MS, signal });
    const client = startNormalClient(
      proxy.port,
      policy,
      () => attack.tally.inputs,
      (problem) => attack.end('the normal client is served at every moment', problem),
    );
    await attack.run(proxy.port);
    await client.stop();
    normal = client.tally;
    // What the proxy says last may still be on its way.
    await sleep(LAST_WORDS_MS);
  } finally {
    isStopping = true;
    for (const one of running) await one.stop();
  }
  const how = await proxy.ended;
  if (how !== 'exit code 0') attack.end('the proxy stops cleanly', `${how}\n${proxy.tail()}`);
  return { ...attack.tally, normal };
}

/** Sends inputs to one port, `AT_A_TIME` at once, until the time is up, they are used up, or something is found. */
export class Attack {
  readonly tally: Omit<SocketsTally, 'normal'> = { inputs: 0, replies: 0, finding: null };
  readonly #job: Job;
  readonly #underWay = new Set<number>();
  #next: number;

  constructor(job: Job) {
    this.#job = job;
    this.#next = job.first;
  }

  /** Resolves when the last connection has ended. */
  async run(port: number): Promise<void> {
    const endMs = performance.now() + this.#job.forMs;
    await Promise.all(Array.from({ length: AT_A_TIME }, (_, lane) => this.#runLane(lane, port, endMs)));
  }

  /** Something was found: no more is sent. The first finding stays; after an interruption everything breaks. */
  end(check: string, detail: string, number?: number): void {
    if (this.#job.signal.aborted) return;
    const numbers = new Set(number === undefined ? this.#underWay : [number, ...this.#underWay]);
    this.tally.finding ??= { check, detail, numbers: [...numbers] };
  }

  async #runLane(lane: number, port: number, endMs: number): Promise<void> {
    const { seed, first, count, signal, onProgress } = this.#job;
    while (this.tally.finding === null && !signal.aborted && performance.now() < endMs) {
      const number = this.#next++;
      if (count !== null && number >= first + count) return;
      this.#underWay.add(number);
      const header = headerFor(number);
      const localAddress = header === null ? ADDRESSES[lane % ADDRESSES.length] : BALANCER;
      const { problem, replies } = await tryInput(drawInput(seed, number), { port, localAddress, header });
      if (problem !== null) this.end('every connection gets what the protocol owes it', problem, number);
      this.#underWay.delete(number);
      this.tally.inputs += 1;
      this.tally.replies += replies;
      if (this.tally.inputs % PROGRESS_EVERY === 0) onProgress(this.tally.inputs);
    }
  }
}

// By the number alone, so that an input can be tried again.
function headerFor(number: number): Header | null {
  if (BALANCER === undefined || number % BALANCED_EVERY !== 0) return null;
  return HEADERS[(number / BALANCED_EVERY) % HEADERS.length] ?? null;
}
