// shell · all runs, one after the other, with everything that takes part up for as long as they last.
// Must never run two at once, or leave a process behind.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Progress } from '../kit/progress.ts';
import { measureRun, warmUp } from './measure.ts';
import { type PlannedRun, warmUps } from './plan.ts';
import type { RunRecord } from './result.ts';
import { type ArenaPlan, openArena } from './targets/index.ts';

/** In which the connections of the run before come to their end. */
const SETTLE_MS = 100;
const PHASE_EVERY_MS = 15_000;

/**
 * Starts everything, carries the plan out, and stops everything.
 * @param seconds  counted time of each run
 * @param onRecord called after each run, so that what was measured is not lost with what comes after it
 * @throws Failure when something does not start or the generator fails, or the signal's reason
 */
export async function measureSeries(
  plan: readonly PlannedRun[],
  arenaPlan: ArenaPlan,
  seconds: number,
  onRecord: (record: RunRecord) => void,
  progress: Progress,
): Promise<void> {
  const { signal } = progress;
  progress.phase('starting the servers and what is measured');
  const arena = await openArena(arenaPlan, signal);
  try {
    progress.phase('warming up');
    for (const first of warmUps(plan)) await warmUp(first, arenaPlan.programs, arena, signal);
    const show = throttled(progress);
    for (const [index, planned] of plan.entries()) {
      show(`run ${index + 1} of ${plan.length}: ${planned.cell.id}, ${planned.target}`);
      await sleep(SETTLE_MS);
      onRecord(await measureRun(planned, seconds, arenaPlan.programs, arena, signal));
    }
  } finally {
    await arena.stop();
  }
}

// Somebody who watches sees every run; a log gets a line now and then.
function throttled(progress: Progress): (text: string) => void {
  let nextMs = 0;
  return (text) => {
    progress.line(text);
    if (performance.now() < nextMs) return;
    nextMs = performance.now() + PHASE_EVERY_MS;
    progress.phase(text);
  };
}
