// Row F12: a client's share of the proxy, beside a crowd that has thousands of packets refused.
import { CannotTell } from '../../chaos/judge/criterion.ts';
import { all, atMost, type HostileCase } from '../case.ts';
import { count, others, quantile, question, steady } from '../client.ts';

const LOAD = { perSecond: 50, seconds: 6 };
const BAR_MS = 50;
/** A machine that needs this long for a bare echo can't tell whether the proxy keeps the bar. */
const MACHINE_BAR_MS = 25;

export const fairness: readonly HostileCase[] = [1_000, 3_000].map((size) => ({
  name: `f12-${size}`,
  about: `${size} connections that send "{}" without end, and one good client.`,
  isCounted: false,
  toleratesMs: Number.POSITIVE_INFINITY,
  run: async (scene) => {
    const proxy = await scene.proxy();
    await scene.keptServer(proxy);
    const client = scene.client(proxy);
    await client.ask(question());
    await scene.crowd(proxy, 'refused', size);
    scene.pace.restart();
    const replies = await steady([client], LOAD, () => question(), scene.signal);
    const [p50, p99] = [quantile(replies, 0.5), quantile(replies, 0.99)];
    const checks = [
      all(count(replies, 'ok'), replies.length, 'answered', others(replies)),
      atMost(p99, BAR_MS, `ms p99 (p50 ${p50.toFixed(1)} ms)`),
    ];
    const { p99Ms } = scene.pace.read();
    if (p99Ms > MACHINE_BAR_MS && !checks.every(({ holds }) => holds)) {
      const seen = checks.map((check) => check.seen).join(', ');
      throw new CannotTell(`${seen}, where a bare echo had ${p99Ms.toFixed(1)} ms p99`);
    }
    return checks;
  },
}));
