// Row D7: servers that take one connection at a time and have a short queue in the kernel.
import { atMost, exactly, type HostileCase } from '../case.ts';
import { burst, count, others, question } from '../client.ts';
import { countEvents } from '../scene.ts';

const WORK_MS = 10;
const BURST = 150;
const ONE_WRITE = 25;

export const oldServers: readonly HostileCase[] = [
  {
    name: 'd7-burst',
    about: 'A burst of 150 requests to two servers with listen(5), one thread and 10 ms of work for each.',
    toleratesMs: 150,
    run: async (scene) => {
      const proxy = await scene.proxy();
      for (let at = 0; at < 2; at += 1) await scene.oldServer(proxy, { backlog: 5, workMs: WORK_MS });
      const questions = Array.from({ length: BURST }, () => question());
      const replies = await burst(scene.clients(proxy, BURST), questions);
      return [
        exactly(count(replies, 'ok'), BURST, 'answered', others(replies)),
        atMost(countEvents(proxy, 'ejected', 'evicted'), 0, 'taken out'),
      ];
    },
  },
  {
    name: 'd7-one-write',
    about: '25 requests in one write, to one server with listen(10) that takes one at a time.',
    toleratesMs: 150,
    run: async (scene) => {
      const proxy = await scene.proxy();
      await scene.oldServer(proxy, { backlog: 10, workMs: WORK_MS });
      const client = scene.client(proxy);
      client.socket.cork();
      const asked = burst(
        [client],
        Array.from({ length: ONE_WRITE }, () => question()),
      );
      client.socket.uncork();
      const replies = await asked;
      return [exactly(count(replies, 'ok'), ONE_WRITE, 'answered', others(replies))];
    },
  },
];
