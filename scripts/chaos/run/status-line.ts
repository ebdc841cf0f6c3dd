// pure · how a run stands right now, in one line for somebody who watches.
import type { Plan } from '../plan.ts';
import type { Recorder } from './recorder.ts';

/** `0:35 of 1:53 · 500/s · ok 17,432 · wrong 0 · errors 0 · lost 0 · 5 of 6 in rotation · pause server-p1-2`. */
export function describeNow(recorder: Recorder, plan: Plan): string {
  const elapsedMs = recorder.elapsedMs();
  const { ok, wrong, error, lost } = recorder.counts;
  const servers = recorder.lastTable?.servers ?? [];
  const ready = servers.filter(({ state }) => state === 'ready').length;
  const faults = recorder.activeFaults.map(({ kind, targets }) => `${kind} ${targets.join(', ')}`);
  return [
    `${minutes(elapsedMs)} of ${minutes(plannedMs(plan))}`,
    `${plan.rate}/s`,
    `ok ${ok.toLocaleString('en')}`,
    `wrong ${wrong}`,
    `errors ${error}`,
    `lost ${lost}`,
    `${ready} of ${servers.length} in rotation`,
    ...faults,
  ].join(' · ');
}

/** How long a run takes, in ms. */
function plannedMs({ phases }: Plan): number {
  return phases.warmUpMs + phases.controlMs + phases.faultsMs + phases.quietMs + phases.afterMs;
}

function minutes(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
