// shell · what the faults inside a server have in common: one setting of its control port, on and off.
import { isRefused, readFaults, type ServerFaults, setFaults } from '../control.ts';
import { type ChaosCluster, isUp, type Replica } from '../docker.ts';
import type { FaultKind, PlannedFault } from '../plan.ts';
import type { Fault, Proof } from './fault.ts';
import { targetFault } from './targets.ts';

/** A fault that is one setting. */
export function serverFault(given: {
  kind: FaultKind;
  title: string;
  like: string;
  on(fault: PlannedFault): Partial<ServerFaults>;
  off: Partial<ServerFaults>;
}): Fault {
  const { kind, title, like, on, off } = given;
  return targetFault<string>({
    kind,
    title,
    like,
    needsControl: true,
    remember: (cluster, replica) => cluster.startedAt(replica),
    strike: async ({ replica, fault }) => {
      await setFaults(replica, on(fault));
    },
    prove: ({ replica, fault }) => proveFaults(replica, on(fault)),
    mend: ({ cluster, replica, memory }) => mendFaults(cluster, replica, memory, off),
  });
}

/** Whether the server says that it does what it was told. */
async function proveFaults(replica: Replica, wanted: Partial<ServerFaults>): Promise<Proof> {
  const found: Partial<ServerFaults> = await readFaults(replica);
  const names = Object.keys(wanted) as (keyof ServerFaults)[];
  return {
    isProven: names.every((name) => found[name] === wanted[name]),
    evidence: `${replica.name} says ${names.map((name) => `${name} ${found[name]}`).join(', ')}`,
  };
}

/**
 * Turns a server's faults off. A process that has ended took them along.
 * @param since when the process that was told had started
 * @throws Error when that process still runs and doesn't answer
 */
export async function mendFaults(
  cluster: ChaosCluster,
  replica: Replica,
  since: string,
  off: Partial<ServerFaults>,
): Promise<void> {
  const info = await cluster.inspect(replica);
  if (!isUp(info)) return;
  try {
    // Its address may be another one by now.
    await setFaults(await cluster.find(replica.name), off);
  } catch (error) {
    if (isRefused(error) && (await cluster.startedAt(replica)) !== since) return;
    throw error;
  }
}
