// shell · carries out the faults of a plan, each at its time, and heals each at its time, whatever happens to the others.
// Must never inject anything before it stands in the undo file, or leave a fault unhealed because another one failed.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChaosCluster } from '../docker.ts';
import type { ArmedFault } from '../faults/fault.ts';
import { FAULTS } from '../faults/index.ts';
import type { PlannedFault } from '../plan.ts';
import { readConntrack } from './machine-watch.ts';
import type { FaultNote, Recorder } from './recorder.ts';

export type Injection = {
  cluster: ChaosCluster;
  recorder: Recorder;
  /** Writes the fault into the undo file. */
  remember: (fault: PlannedFault) => void;
  /** Told of each step, for somebody who watches. */
  tell: (text: string) => void;
  signal: AbortSignal;
};

/**
 * Carries out all faults; resolves when the last one is healed. When the signal fires no further one begins, and it resolves
 * once those that had begun are healed.
 */
export async function injectFaults(faults: readonly PlannedFault[], injection: Injection): Promise<void> {
  await Promise.all(faults.map((fault) => carryOut(fault, injection)));
}

async function carryOut(fault: PlannedFault, injection: Injection): Promise<void> {
  const { cluster, recorder, remember, tell, signal } = injection;
  const isDue = await waitUntil(fault.atMs, injection);
  if (!isDue) return;
  const note = recorder.fault(fault, readConntrack());
  const name = `${fault.kind} ${fault.targets.join(', ')}`;
  const lastsOn = fault.kind === 'flap' || fault.kind === 'exit';
  let armed: ArmedFault | null = null;
  try {
    remember(fault);
    armed = FAULTS[fault.kind].arm({ fault, cluster, hit: note.hit, signal });
    tell(name);
    await armed.inject();
    note.injected();
    if (!lastsOn) note.proven(await armed.prove());
    await waitUntil(fault.atMs + fault.forMs, injection);
    if (lastsOn) note.proven(await armed.prove());
  } catch (error) {
    note.proven({ isProven: false, evidence: (error as Error).message });
  } finally {
    await healOne(async () => armed?.heal(), note, name, tell);
  }
}

async function healOne(
  heal: () => Promise<void>,
  note: FaultNote,
  name: string,
  tell: (text: string) => void,
): Promise<void> {
  note.healing();
  try {
    await heal();
    note.healed();
    tell(`${name}: over`);
  } catch (error) {
    // The general heal at the end of the run tries again, and reports what it can't mend.
    tell(`${name}: could not be healed, ${(error as Error).message}`);
  }
}

/** @returns false when the run was ended before that */
async function waitUntil(atMs: number, { recorder, signal }: Injection): Promise<boolean> {
  const leftMs = atMs - recorder.elapsedMs();
  if (leftMs > 0) await sleep(leftMs, undefined, { signal }).catch(() => {});
  return !signal.aborted;
}
