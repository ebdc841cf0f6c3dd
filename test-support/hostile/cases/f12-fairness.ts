// Row F12: a client's share of the proxy, beside a crowd that has thousands of packets refused.
import { readFileSync } from 'node:fs';
import { CannotTell } from '../../../scripts/kit/verdict.ts';
import { atMost, exactly, type HostileCase } from '../case.ts';
import { count, others, quantile, question, steady } from '../client.ts';

const LOAD = { perSecond: 50, seconds: 6 };
const BAR_MS = 50;
/** Other programs, or the crowd itself, have taken too much of the machine to tell. */
const MAX_WAITED_SHARE = 0.2;

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
    const before = waitedMs(proxy.pid);
    const replies = await steady([client], LOAD, () => question(), scene.signal);
    const [p50, p99] = [quantile(replies, 0.5), quantile(replies, 0.99)];
    const waitedShare = (waitedMs(proxy.pid) - before) / (LOAD.seconds * 1000);
    const checks = [
      exactly(count(replies, 'ok'), replies.length, 'answered', others(replies)),
      atMost(p99, BAR_MS, `ms p99 (p50 ${p50.toFixed(1)} ms)`),
    ];
    if (waitedShare <= MAX_WAITED_SHARE || checks.every(({ holds }) => holds)) return checks;
    const seen = checks.map((check) => check.seen).join(', ');
    const share = `${Math.round(waitedShare * 100)} %`;
    throw new CannotTell(`${seen}, but the proxy waited for a processor for ${share} of the time`);
  },
}));

// proc_pid_schedstat: ns that the main thread has run, and that it was ready to run and had no processor.
function waitedMs(pid: number): number {
  const [, waitedNs = '0'] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ');
  return Number(waitedNs) / 1e6;
}
