// Row A2: answers that slip by one place on a kept connection.
import { atMost, type HostileCase } from '../case.ts';
import { closedLoop, count } from '../client.ts';

const REQUESTS = 600;
const AT_ONCE = 20;
const SECOND_ANSWER_AFTER_MS = 3;

export const slipped: HostileCase = {
  name: 'a2-slipped',
  about: 'A keep-alive server that lets each answer be followed by a second one, 3 ms later.',
  run: async (scene) => {
    const proxy = await scene.proxy();
    await scene.keptServer(proxy, ({ socket, answer }) => {
      socket.write(answer);
      setTimeout(() => socket.writable && socket.write(answer), SECOND_ANSWER_AFTER_MS);
    });
    const replies = await closedLoop(scene.clients(proxy, AT_ONCE), (sent) => sent < REQUESTS);
    const what = `of ${REQUESTS} replies were another client's (${count(replies, 'ok')} right)`;
    return [atMost(count(replies, 'foreign'), 0, what)];
  },
};
