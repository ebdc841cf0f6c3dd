// Row F13: what clients cost that take and give nothing back.
import { residentBytes } from '../../../scripts/kit/process-cost.ts';
import { atMost, type Check, exactly, type HostileCase } from '../case.ts';
import { question } from '../client.ts';
import type { Scene } from '../scene.ts';

const CLIENTS = 1_000;
const THOUSANDS = 3;
const SETTLED_MS = 5_000;
const KIB = 1024;
/** What a connection may hold, and its socket's own objects with what V8 has not collected yet. */
const BAR_KIB = 64;
const OVERHEAD_KIB = 16;
// They would be cut off while the others come; one that reads a byte now and then is not.
const PATIENT = { PROXY_CLIENT_TIMEOUT: '60000' };

const PLACES = 100;
const SERVER_HOST = '127.0.0.2';

export const memory: readonly HostileCase[] = [
  {
    name: 'f13-unread',
    about: '3,000 clients that send good requests without end and never read.',
    isMeasured: true,
    run: (scene) => growth(scene, 'unread'),
  },
  {
    name: 'f13-unread-refused',
    about: '3,000 clients that send "{}" without end and never read: each reply is 70 times as long.',
    isMeasured: true,
    run: (scene) => growth(scene, 'unread-refused'),
  },
  {
    name: 'f13-places',
    about: 'Clients that hold all places, and a server that has to register again.',
    run: async (scene) => {
      const registered: string[] = [];
      // Known because it was in the table, or because the operator says so.
      for (const settings of [{}, { PROXY_REGISTER_FROM: SERVER_HOST }]) {
        const proxy = await scene.proxy({ PROXY_MAX_CONNECTIONS: String(PLACES), ...settings });
        const id = await scene.keptServer(proxy, undefined, { host: SERVER_HOST });
        await scene.crowd(proxy.port, 'idle', 2 * PLACES);
        while ((await scene.client(proxy).ask(question())).outcome !== 'OVERLOADED') await scene.wait(20);
        const packet = { type: 1, id, privPoliId: '1', listenport: 9 };
        registered.push(await scene.send(proxy, JSON.stringify(packet), SERVER_HOST));
      }
      const good = registered.filter((reply) => reply.includes('"registered"'));
      return [exactly(good.length, registered.length, 'registered while clients hold all places')];
    },
  },
];

// What each thousand adds to the first: with that comes whatever V8's heap grows by in any flood, from clients that read too.
async function growth(scene: Scene, kind: string): Promise<Check[]> {
  const proxy = await scene.proxy(PATIENT);
  await scene.keptServer(proxy);
  const bytes: number[] = [];
  for (let at = 0; at < THOUSANDS; at += 1) {
    await scene.crowd(proxy.port, kind, CLIENTS);
    await scene.wait(SETTLED_MS);
    bytes.push(residentBytes([proxy.pid]));
  }
  const [first = 0, last = 0] = [bytes[0], bytes.at(-1)];
  const whole = `${Math.round(last / KIB / KIB)} MiB with ${THOUSANDS * CLIENTS}`;
  const each = (last - first) / (THOUSANDS - 1) / CLIENTS / KIB;
  return [atMost(each, BAR_KIB + OVERHEAD_KIB, `KiB a connection (${whole})`)];
}
