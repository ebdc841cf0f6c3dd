// shell · the cgroup freezer: connections are accepted by the kernel, and nothing is answered until it goes on.
import { targetFault } from './targets.ts';

export const pause = targetFault({
  kind: 'pause',
  title: 'frozen',
  like: 'hang, long garbage collection, dead host',
  remember: (cluster, replica) => cluster.waitUntilChecked(replica),
  strike: ({ cluster, replica }) => cluster.pause(replica),
  async prove({ cluster, replica }) {
    const { Paused, Status } = (await cluster.inspect(replica)).State;
    return { isProven: Paused, evidence: `${replica.name} is ${Status}` };
  },
  mend: ({ cluster, replica }) => cluster.unpause(replica),
});
