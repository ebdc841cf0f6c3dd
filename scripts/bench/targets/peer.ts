// shell · starts a peer that says nothing when it is ready: checks its configuration, and waits until it accepts.
// Must never leave it running when it does not accept.
import { run } from '../../kit/command.ts';
import { waitForListener } from '../../kit/ports.ts';
import { startProcess } from '../../kit/process.ts';
import type { Program } from '../peer-programs.ts';
import type { TargetName } from '../plan.ts';
import type { RunningTarget } from './target.ts';

const START_TIMEOUT_MS = 10_000;

export type Peer = {
  target: TargetName;
  port: number;
  program: Program;
  args: readonly string[];
  /** Arguments that only have the configuration looked at. */
  checkArgs: readonly string[];
};

/** @throws Failure with the peer's own words when its configuration does not suit it, or when it does not accept */
export async function startPeer(peer: Peer, signal: AbortSignal): Promise<RunningTarget> {
  const { target, port, program, args, checkArgs } = peer;
  await run(program.path, checkArgs, {
    env: program.env,
    signal,
    timeoutMs: START_TIMEOUT_MS,
    failure: {
      what: `The configuration of ${target} does not suit its version ${program.version}`,
      next: 'Leave it out with --targets.',
    },
  });
  const running = await startProcess(program.path, args, {
    env: program.env,
    signal,
    deadlineMs: START_TIMEOUT_MS,
  });
  try {
    await waitForListener(target, port, signal);
  } catch (error) {
    await running.stop();
    throw error;
  }
  return { name: target, port, pid: running.pid, stop: () => running.stop() };
}
