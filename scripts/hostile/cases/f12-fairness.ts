// Row F12: a client's share of the proxy, beside a crowd that has thousands of packets refused.
import { atMost, exactly, type HostileCase } from '../case.ts';
import { count, others, quantile, question, steady } from '../client.ts';

const LOAD = { perSecond: 50, seconds: 6 };
const BAR_MS = 50;

export const fairness: readonly HostileCase[] = [1_000, 3_000].map((size) => ({
  name: `f12-${size}`,
  about: `${size} connections that send "{}" without end, and one good client.`,
  isMeasured: true,
  toleratesMs: BAR_MS,
  run: async (scene) => {
    const proxy = await scene.proxy();
    await scene.keptServer(proxy);
    const client = scene.client(proxy);
    await client.ask(question());
    await scene.crowd(proxy.port, 'refused', size);
    const replies = await steady([client], LOAD, () => question(), scene.signal);
    const [p50, p99] = [quantile(replies, 0.5), quantile(replies, 0.99)];
    return [
      exactly(count(replies, 'ok'), replies.length, 'answered', others(replies)),
      atMost(p99, BAR_MS, `ms p99 (p50 ${p50.toFixed(1)} ms)`),
    ];
  },
}));
