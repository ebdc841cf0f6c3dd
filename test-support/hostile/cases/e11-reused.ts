// Row E11: a connection that was good once.
import type { Socket } from 'node:net';
import { resetConnection } from '../../../scripts/kit/reset-connection.ts';
import { exactly, type HostileCase } from '../case.ts';
import { count, others, question, type Reply } from '../client.ts';

const REQUESTS = 50;
const SILENCE_MS = 2_000;
const ROUNDS = 3;

export const reused: readonly HostileCase[] = [
  {
    name: 'e11-reset-when-reused',
    about: 'A lone keep-alive server that resets each connection at its second request.',
    run: async (scene) => {
      const proxy = await scene.proxy();
      await scene.keptServer(proxy, ({ socket, before, answer }) => {
        if (before > 0) resetConnection(socket);
        else socket.write(answer);
      });
      const client = scene.client(proxy);
      const replies: Reply[] = [];
      for (let at = 0; at < REQUESTS; at += 1) replies.push(await client.ask(question()));
      return [exactly(count(replies, 'ok'), REQUESTS, 'answered', others(replies))];
    },
  },
  {
    name: 'e11-silent',
    about: 'A lone server that never again answers on a connection that was quiet for two seconds.',
    run: async (scene) => {
      const proxy = await scene.proxy();
      const forgotten = new WeakSet<Socket>();
      await scene.keptServer(proxy, (turn) => {
        if (turn.before > 0 && turn.silenceMs > SILENCE_MS) forgotten.add(turn.socket);
        if (!forgotten.has(turn.socket)) turn.socket.write(turn.answer);
      });
      const client = scene.client(proxy);
      const replies = [await client.ask(question())];
      for (let at = 0; at < (scene.size.isSmall ? 1 : ROUNDS); at += 1) {
        await scene.wait(SILENCE_MS * 1.25);
        replies.push(await client.ask(question()));
      }
      return [exactly(count(replies, 'ok'), replies.length, 'answered', others(replies))];
    },
  },
];
