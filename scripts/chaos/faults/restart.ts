// shell · restart: gone and back in some 0.4 s, under the same address. Ends by itself.
import { isUp } from '../docker.ts';
import { paramOf, targetFault } from './targets.ts';

const UP_WITHIN_MS = 10_000;

export const restart = targetFault<string>({
  kind: 'restart',
  title: 'restart, SIGKILL at once',
  like: 'crash and quick come-back',
  endsByItself: true,
  remember: (cluster, replica) => cluster.startedAt(replica),
  async strike({ cluster, replica, fault, memory: since }) {
    await cluster.restart(replica, paramOf(fault, 'graceS', 0));
    await cluster.waitUntilRunning(replica, { since, withinMs: UP_WITHIN_MS });
  },
  async prove({ cluster, replica, memory: since }) {
    const startedAt = await cluster.startedAt(replica);
    return { isProven: startedAt !== since, evidence: `${replica.name} started at ${startedAt}` };
  },
  async mend({ cluster, replica }) {
    if (!isUp(await cluster.inspect(replica))) await cluster.start(replica);
  },
});
