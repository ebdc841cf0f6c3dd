// shell · cut off from the network: packets vanish both ways without a word, and its connections go on afterwards.
// Must never reconnect without the aliases: the service's name would leave it out from then on.
import type { SavedAliases } from '../docker.ts';
import { targetFault } from './targets.ts';

export const partition = targetFault<SavedAliases>({
  kind: 'partition',
  title: 'cut off from the network',
  like: 'cable',
  remember: (cluster, replica) => cluster.aliasesOf(replica),
  strike: ({ cluster, replica, memory }) => cluster.detach(replica, memory),
  async prove({ cluster, replica, memory }) {
    const left = Object.keys((await cluster.inspect(replica)).NetworkSettings.Networks);
    const hadSome = Object.keys(memory).length > 0;
    return {
      isProven: hadSome && left.length === 0,
      evidence: `${replica.name} is on ${left.join(', ') || 'no network'}${hadSome ? '' : ', as before'}`,
    };
  },
  async mend({ cluster, replica, memory }) {
    await cluster.attach(replica, memory);
    if (!(await cluster.isAttached(replica, memory)))
      throw new Error(`${replica.name} did not get its aliases back.`);
  },
});
