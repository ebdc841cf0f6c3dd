// Row E10: a sick server costs its own policy something, and no other one.

import { resetConnection } from '../../../scripts/kit/reset-connection.ts';
import { atMost, exactly, type HostileCase } from '../case.ts';
import { burst, count, others, question, steady } from '../client.ts';
import type { Behaviour } from '../kept-server.ts';
import { countEvents } from '../scene.ts';

const SICK_LOAD = { perSecond: 100, seconds: 3 };
const SICK_FOR_MS = 1_500;
const NEIGHBOURS = 60;
const FLAPPING_LOAD = { perSecond: 200, seconds: 14 };
const MAX_FLAPS = 40;

const sick: Behaviour = ({ socket }) => resetConnection(socket);

export const neighbours: readonly HostileCase[] = [
  {
    name: 'e10-neighbours',
    about: 'A policy whose only server resets each request, beside a policy with one such and one healthy.',
    run: async (scene) => {
      const proxy = await scene.proxy();
      await scene.keptServer(proxy, sick, { policy: 'A' });
      await scene.keptServer(proxy, sick, { policy: 'B' });
      await scene.keptServer(proxy, undefined, { policy: 'B' });
      const clients = scene.clients(proxy, 10);
      const beside = steady(clients, SICK_LOAD, () => question('A'), scene.signal);
      await scene.wait(SICK_FOR_MS);
      const questions = Array.from({ length: NEIGHBOURS }, () => question('B'));
      const replies = await burst(scene.clients(proxy, NEIGHBOURS), questions);
      await beside;
      return [exactly(count(replies, 'ok'), NEIGHBOURS, 'of the other policy answered', others(replies))];
    },
  },
  {
    name: 'e10-flapping',
    about: 'A server that passes its probes and resets every second request, beside two healthy ones.',
    isMeasured: true,
    run: async (scene) => {
      const proxy = await scene.proxy();
      let turn = 0;
      const flapping: Behaviour = ({ socket, answer }) => {
        turn += 1;
        if (turn % 2 === 0) resetConnection(socket);
        else socket.write(answer);
      };
      await scene.keptServer(proxy, flapping);
      for (let at = 0; at < 2; at += 1) await scene.keptServer(proxy);
      const before = countEvents(proxy, 'admitted');
      const replies = await steady(scene.clients(proxy, 20), FLAPPING_LOAD, () => question(), scene.signal);
      const flaps = countEvents(proxy, 'suspect', 'admitted') - before;
      return [
        exactly(count(replies, 'ok'), replies.length, 'answered', others(replies)),
        atMost(flaps, MAX_FLAPS, 'suspect and admitted events'),
      ];
    },
  },
];
