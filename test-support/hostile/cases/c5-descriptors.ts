// Row C5: the proxy's own process runs out of descriptors.
import { freePorts } from '../../../scripts/kit/ports.ts';
import { atMost, type Check, exactly, type HostileCase } from '../case.ts';
import { count, others, question, type Reply } from '../client.ts';
import { countEvents, type Scene } from '../scene.ts';

const CLIENTS = 200;
const GOOD_CLIENTS = 20;
const EACH_MS = 200;
const RECONNECTING = 150;
const STARTS = 3;
const LIVES_FOR_MS = 2_000;

export const descriptors: readonly HostileCase[] = [
  {
    name: 'c5-120-descriptors',
    about: 'A proxy with 120 descriptors and 200 idle clients, beside three good servers.',
    run: withIdleClients,
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
