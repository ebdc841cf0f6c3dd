// pure · what bringing the cluster up or down has changed, in a few words. Must never leave out what was removed.
import type { Outcome } from '../kit/progress.ts';

type Container = { id: string; name: string };

/** What was done: the containers that ran before and run now, and how many of them needed help. */
export type BroughtUp = {
  before: readonly Container[];
  after: readonly Container[];
  unpaused: number;
  restarted: number;
};

/** Says what was done to the containers, or that nothing was to be done. */
export function summarizeUp({ before, after, unpaused, restarted }: BroughtUp): Outcome {
  const started = after.filter(({ id }) => !before.some((other) => other.id === id)).length;
  // One that was replaced has a successor of the same name.
  const removed = before.filter(({ name }) => !after.some((other) => other.name === name)).length;
  const changes = [
    [started, 'just started'],
    [removed, 'removed'],
    [unpaused, 'no longer paused'],
    [restarted, 'restarted'],
  ]
    .filter(([count]) => count !== 0)
    .map(([count, what]) => `${count} ${what}`);
  const total = containers(after.length);
  return changes.length === 0
    ? { isSkipped: true, summary: `${total} (already running)` }
    : { isSkipped: false, summary: `${total}: ${changes.join(', ')}` };
}

/** @param found how many containers there were, stopped ones too */
export function summarizeDown(found: number): Outcome {
  if (found === 0) return { isSkipped: true, summary: 'nothing was running' };
  return {
    isSkipped: false,
    summary: `${containers(found)} and ${found === 1 ? 'its' : 'their'} network are gone`,
  };
}

function containers(count: number): string {
  return `${count} ${count === 1 ? 'container' : 'containers'}`;
}
