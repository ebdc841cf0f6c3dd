// shell · what the faults that end a process have in common: dead is proven by the exit code, and start heals.
import type { Proof } from './fault.ts';
import { paramOf, type Target } from './targets.ts';

const USUAL_GRACE_S = 10;

export async function killTarget({ cluster, replica }: Target<null>): Promise<void> {
  await cluster.kill(replica);
}

/** When its process ended: some 70 ms before Docker's call returns, on a busy machine much longer. */
export async function endedAt({ cluster, replica }: Target<null>): Promise<number> {
  return Date.parse((await cluster.inspect(replica)).State.FinishedAt);
}

/** `params.graceS`, 10 s unless given. */
export async function stopTarget({ cluster, replica, fault }: Target<null>): Promise<void> {
  await cluster.stop(replica, paramOf(fault, 'graceS', USUAL_GRACE_S));
}

export async function startTarget({ cluster, replica }: Target<unknown>): Promise<void> {
  await cluster.start(replica);
}

export async function proveKilled(target: Target<null>): Promise<Proof> {
  const { isRunning, exitCode, evidence } = await look(target);
  return { isProven: !isRunning && exitCode === 137, evidence };
}

export async function proveStopped(target: Target<null>): Promise<Proof> {
  const { isRunning, evidence } = await look(target);
  return { isProven: !isRunning, evidence };
}

async function look({ cluster, replica }: Target<null>): Promise<{
  isRunning: boolean;
  exitCode: number;
  evidence: string;
}> {
  const { State } = await cluster.inspect(replica);
  const evidence = `${replica.name} ${State.Running ? 'is running' : `has ended with ${State.ExitCode}`}`;
  return { isRunning: State.Running, exitCode: State.ExitCode, evidence };
}
