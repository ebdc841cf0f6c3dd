// Row F13: what clients cost that take and give nothing back.
import { residentBytes } from '../../bench/process-cost.ts';
import { atMost, exactly, type HostileCase } from '../case.ts';
import { question, steady } from '../client.ts';

const CLIENTS = 1_000;
const LASTS_MS = 8_000;
const SAMPLE_MS = 100;
const KIB = 1024;
/** What a connection may hold; and the socket itself with the garbage of the moment, which is V8's and not the client's. */
const BAR_KIB = 64;
const OVERHEAD_KIB = 32;
const WARM_UP = { perSecond: 2_000, seconds: 4 };

const PLACES = 100;
const SERVER_HOST = '127.0.0.2';

export const memory: readonly HostileCase[] = [
  {
    name: 'f13-unread',
    about: '1,000 clients that send good requests without end and never read.',
    isMeasured: true,
    toleratesMs: Number.POSITIVE_INFINITY,
    run: async (scene) => {
      const proxy = await scene.proxy();
      await scene.keptServer(proxy);
      // So that what the proxy needs for any load at all is there before.
      await steady(scene.clients(proxy, 50), WARM_UP, () => question(), scene.signal);
      const before = residentBytes([proxy.pid]);
      await scene.crowd(proxy.port, 'unread', CLIENTS);
      let most = 0;
      for (let at = 0; at < LASTS_MS; at += SAMPLE_MS) {
        most = Math.max(most, residentBytes([proxy.pid]));
        await scene.wait(SAMPLE_MS);
      }
      return [atMost((most - before) / CLIENTS / KIB, BAR_KIB + OVERHEAD_KIB, 'KiB a connection')];
    },
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
        registered.push(await scene.tell(proxy, JSON.stringify(packet), SERVER_HOST));
      }
      const good = registered.filter((reply) => reply.includes('"registered"'));
      return [exactly(good.length, registered.length, 'registered while clients hold all places')];
    },
  },
];
