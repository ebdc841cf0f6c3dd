// Row C5: the proxy's own process runs out of descriptors.
import type { Socket } from 'node:net';
import { askHttp } from '../../../scripts/kit/http.ts';
import { freePorts } from '../../../scripts/kit/ports.ts';
import { resetConnection } from '../../../scripts/kit/reset-connection.ts';
import type { Snapshot } from '../../../services/proxy/status/snapshot.ts';
import { atMost, type Check, exactly, type HostileCase } from '../case.ts';
import { count, others, question, type Reply } from '../client.ts';
import { after, type Behaviour, honest } from '../kept-server.ts';
import { countEvents, type Scene } from '../scene.ts';

const CLIENTS = 200;
const GOOD_CLIENTS = 20;
const EACH_MS = 200;
const RECONNECTING = 150;
const STARTS = 3;
const LIVES_FOR_MS = 2_000;
const DYING_SERVERS = 20;
const DEPTH = 60;
const ANSWER_MS = 200;
const DEATHS = 3;

export const descriptors: readonly HostileCase[] = [
  {
    name: 'c5-120-descriptors',
    about: 'A proxy with 120 descriptors and 200 idle clients, beside three good servers.',
    run: withIdleClients,
  },
  {
    name: 'c5-dying-servers',
    about:
      'A proxy with 450 descriptors whose servers of one policy die at once, with 1,200 requests on them.',
    run: withDyingServers,
  },
  {
    name: 'c5-start',
    about: 'A proxy with 100 descriptors that starts while clients connect again and again.',
    toleratesMs: 2_000,
    run: async (scene) => {
      const starts: string[] = [];
      for (let at = 0; at < (scene.size.isSmall ? 1 : STARTS); at += 1) starts.push(await start(scene));
      const bad = starts.filter((how) => how !== '');
      return [exactly(starts.length - bad.length, starts.length, 'starts lived', bad.join('; '))];
    },
  },
];

async function withIdleClients(scene: Scene): Promise<Check[]> {
  const proxy = await scene.proxy({}, limited(120));
  await scene.keptServer(proxy);
  await scene.keptServer(proxy);
  await scene.oldServer(proxy);
  await scene.crowd(proxy.port, 'idle', CLIENTS);
  const replies: Reply[] = [];
  // Long enough for two failed probes of each server.
  for (let at = 0; at < GOOD_CLIENTS; at += 1) {
    const client = scene.client(proxy);
    replies.push(await client.ask(question()));
    client.close();
    await scene.wait(EACH_MS);
  }
  const replied = count(replies, 'ok') + count(replies, 'OVERLOADED');
  const warning = proxy.log.find(
    (line) => /"warn"/.test(line) && /descriptor|open ?files|EMFILE/i.test(line),
  );
  return [
    atMost(countEvents(proxy, 'evicted', 'ejected'), 0, 'evictions'),
    exactly(replied, replies.length, 'answered or OVERLOADED', others(replies)),
    exactly(warning === undefined ? 0 : 1, 1, 'warning in the log'),
  ];
}

async function withDyingServers(scene: Scene): Promise<Check[]> {
  const proxy = await scene.proxy({}, limited(450));
  const sockets = new Set<Socket>();
  const slow = after(() => ANSWER_MS);
  const dying: Behaviour = (turn) => {
    sockets.add(turn.socket);
    if (turn.packet.payload.startsWith('die')) for (const socket of sockets) resetConnection(socket);
    else slow(turn);
  };
  for (let at = 0; at < DYING_SERVERS; at += 1) await scene.keptServer(proxy, dying, { policy: 'dying' });
  await scene.keptServer(proxy, honest, { policy: 'other' });
  const busy = scene.clients(proxy, DYING_SERVERS);
  const beside = scene.client(proxy);
  const replies: Reply[] = [];
  for (let round = 0; round < DEATHS; round += 1) {
    for (const client of busy) for (let at = 0; at < DEPTH; at += 1) void client.ask(question('dying'));
    await scene.wait(ANSWER_MS / 4);
    void busy[0]?.ask(question('dying', 'die'));
    for (let at = 0; at < GOOD_CLIENTS; at += 1) replies.push(await beside.ask(question('other')));
    await scene.wait(ANSWER_MS);
  }
  const { answer } = await askHttp(new URL('/api/policies', proxy.adminUrl), { signal: scene.signal });
  const { proxy: counts } = JSON.parse(answer) as Snapshot;
  return [
    exactly(count(replies, 'ok'), replies.length, 'of the other policy answered', others(replies)),
    atMost(counts.localFailures, 0, 'times without a descriptor'),
  ];
}

async function start(scene: Scene): Promise<string> {
  const [port = 0] = await freePorts(1);
  await scene.crowd(port, 'idle', RECONNECTING, false);
  try {
    const proxy = await scene.proxy({ PROXY_PORT: String(port) }, limited(100));
    const ended = await Promise.race([proxy.ended, scene.wait(LIVES_FOR_MS)]);
    return ended ?? '';
  } catch (error) {
    scene.signal.throwIfAborted();
    return (error as Error).message;
  }
}

function limited(count: number): readonly string[] {
  return ['sh', '-c', `ulimit -n ${count} && exec "$@"`, 'sh'];
}
