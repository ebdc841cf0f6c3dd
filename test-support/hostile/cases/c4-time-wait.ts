// Row C4: connections that the proxy closes first keep its local ports for a minute.
import { readFileSync } from 'node:fs';
import { attempt } from '../../../scripts/kit/command.ts';
import { ownNetwork } from '../../../scripts/kit/ports.ts';
import { CannotTell } from '../../../scripts/kit/verdict.ts';
import { atMost, type CaseResult, type Check, exactly, type HostileCase } from '../case.ts';
import { closedLoop, count, others, question, type Reply, steady } from '../client.ts';
import { countEvents, type Scene, type SceneProxy } from '../scene.ts';

const AT_ONCE = 16;
// Whoever closes first has to keep the port: a moment in which the proxy may.
const SERVER = { backlog: 64, closesAfterMs: 0.5 };
const TIME_WAIT = '06';
/** Of all requests: the probes' connections, and those of the last moment. */
const MAX_SHARE_WAITING = 0.01;

const FEW_PORTS_LOAD = { perSecond: 400, seconds: 20 };
const GRACE_MS = 60_000;
const RUN_CASE = new URL('../run-case.ts', import.meta.url).pathname;
/** Set for the process that runs in the network of its own. */
const INSIDE = 'HOSTILE_OWN_NETWORK';
// Linux takes a port in TIME_WAIT again after a second where both ends are on loopback, as they are only in tests.
const AS_BETWEEN_MACHINES = 'echo 0 > /proc/sys/net/ipv4/tcp_tw_reuse';
const FEW_PORTS = 'echo 10000 11999 > /proc/sys/net/ipv4/ip_local_port_range';

export const timeWait: readonly HostileCase[] = [
  {
    name: 'c4-one-server',
    about: 'One server of the old kind, as many requests a second as it takes.',
    isMeasured: true,
    run: (scene) => (process.env[INSIDE] ? oneServer(scene) : inOwnNetwork(scene, 'c4-one-server')),
  },
  {
    name: 'c4-few-ports',
    about: 'Two servers of the old kind behind 2,000 local ports, 400 requests a second.',
    isMeasured: true,
    run: (scene) => (process.env[INSIDE] ? fewPorts(scene) : inOwnNetwork(scene, 'c4-few-ports', FEW_PORTS)),
  },
];

async function oneServer(scene: Scene): Promise<Check[]> {
  const proxy = await scene.proxy();
  const port = await scene.oldServer(proxy, SERVER);
  const endMs = performance.now() + scene.size.seconds * 1000;
  const isOpen = (): boolean => performance.now() < endMs && !scene.signal.aborted;
  const replies = await closedLoop(scene.clients(proxy, AT_ONCE), isOpen);
  const waiting = countTimeWait(port);
  return [
    ...unharmed(replies, proxy),
    { seen: `${Math.round(replies.length / scene.size.seconds)} requests/s`, bar: 'any', holds: true },
    atMost(waiting, Math.ceil(replies.length * MAX_SHARE_WAITING), 'sockets in TIME_WAIT towards it'),
  ];
}

async function fewPorts(scene: Scene): Promise<Check[]> {
  const proxy = await scene.proxy();
  for (let at = 0; at < 2; at += 1) await scene.oldServer(proxy, SERVER);
  return unharmed(
    await steady(scene.clients(proxy, AT_ONCE), FEW_PORTS_LOAD, () => question(), scene.signal),
    proxy,
  );
}

// Ports are settings of the network: a process in a network of its own may change them, and only for itself.
async function inOwnNetwork({ signal, size }: Scene, name: string, setting = 'true'): Promise<Check[]> {
  const network = await ownNetwork(signal);
  if (network === null) throw new CannotTell('this machine allows no network of its own');
  const script = `${AS_BETWEEN_MACHINES} && ${setting} && exec "$@"`;
  const own = [process.execPath, RUN_CASE, name, String(size.seconds)];
  const [program = '', ...args] = [...network, 'sh', '-c', script, 'sh', ...own];
  const { stdout, outcome, tail } = await attempt(program, args, {
    signal,
    env: { ...process.env, [INSIDE]: '1' },
    timeoutMs: size.seconds * 1000 + GRACE_MS,
  });
  if (!stdout.startsWith('{')) throw new Error(`${outcome}: ${tail}`);
  const { checks, unknown } = JSON.parse(stdout) as CaseResult;
  if (unknown !== '') throw new CannotTell(unknown);
  return checks;
}

function unharmed(replies: readonly Reply[], proxy: SceneProxy): Check[] {
  return [
    exactly(count(replies, 'ok'), replies.length, 'answered', others(replies)),
    atMost(countEvents(proxy, 'evicted', 'ejected'), 0, 'evictions'),
  ];
}

// Lines of proc_pid_net(5): number, local address, remote address, state; ports are hexadecimal.
function countTimeWait(port: number): number {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , remote, state]) => state === TIME_WAIT && remote?.endsWith(end)).length;
}
