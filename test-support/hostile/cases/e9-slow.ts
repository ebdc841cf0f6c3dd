// Row E9: a slow request, or slow servers, without any fault.
import { type Check, exactly, type HostileCase } from '../case.ts';
import { burst, count, others, question, type Reply, steady } from '../client.ts';
import { after } from '../kept-server.ts';
import type { Scene, SceneProxy } from '../scene.ts';

const SLOW_MS = 700;
const SLOW_SERVER_MS = 900;
const QUICK = { perSecond: 100, seconds: 4 };
const SLOW_AT = 150;
const MANY = { perSecond: 200, seconds: 10 };
const SLOW_EACH = 200;
const AT_ONCE = 120;

export const slow: readonly HostileCase[] = [
  {
    name: 'e9-one-slow',
    about: '100 quick requests a second and one that takes 700 ms, at two keep-alive servers.',
    run: (scene) =>
      rounds(scene, 6, async (proxy) => {
        const clients = scene.clients(proxy, 10);
        // The slow one beside the others: a client gets its replies in the order of its requests.
        const own = scene.client(proxy);
        const late = scene
          .wait((SLOW_AT / QUICK.perSecond) * 1000)
          .then(() => own.ask(question('1', 'slow')));
        const quick = await steady(clients, QUICK, () => question(), scene.signal);
        return [...quick, await late];
      }),
  },
  {
    name: 'e9-some-slow',
    about: '200 requests a second of which 0.5 % take 700 ms, at two keep-alive servers.',
    isMeasured: true,
    run: (scene) =>
      rounds(scene, 1, (proxy) => {
        const isSlow = (index: number): boolean => index % SLOW_EACH === SLOW_EACH / 2;
        const ask = (index: number) => question('1', isSlow(index) ? 'slow' : 'request');
        return steady(scene.clients(proxy, 400), MANY, ask, scene.signal);
      }),
  },
  {
    name: 'e9-all-slow',
    about: '120 requests at once, to two keep-alive servers that take 900 ms for each.',
    run: (scene) =>
      rounds(
        scene,
        3,
        (proxy) =>
          burst(
            scene.clients(proxy, AT_ONCE),
            Array.from({ length: AT_ONCE }, () => question()),
          ),
        () => SLOW_SERVER_MS,
      ),
  },
];

/** Each round has a proxy and servers of its own. */
async function rounds(
  scene: Scene,
  wanted: number,
  load: (proxy: SceneProxy) => Promise<Reply[]>,
  delayMs = (payload: string): number => (payload.startsWith('slow') ? SLOW_MS : 0),
): Promise<Check[]> {
  const replies: Reply[] = [];
  for (let at = 0; at < (scene.size.isSmall ? 1 : wanted); at += 1) {
    const proxy = await scene.proxy();
    for (let server = 0; server < 2; server += 1) await scene.keptServer(proxy, after(delayMs));
    replies.push(...(await load(proxy)));
  }
  return [exactly(count(replies, 'ok'), replies.length, 'answered', others(replies))];
}
