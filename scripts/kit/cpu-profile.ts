// pure · a CPU profile as V8 writes it (`.cpuprofile`), and how long each function of it ran.
import type { Profiler, Runtime } from 'node:inspector';

/** Times are microseconds of a monotonic clock; lines and columns count from 0, and are -1 where there is no source. */
export type CpuProfile = Profiler.Profile;
/** A function as it was called on one path from the root. */
export type ProfileNode = Profiler.ProfileNode;
export type CallFrame = Runtime.CallFrame;

/**
 * How long each node was on top of the stack, by its id, in microseconds. A sample lasts until the next one, as in
 * browsers' developer tools.
 */
export function selfTimes({
  samples = [],
  timeDeltas = [],
  startTime,
  endTime,
}: CpuProfile): Map<number, number> {
  let sampledUs = startTime;
  // V8 may note samples in another order than they were taken in: some deltas are negative.
  const moments = samples
    .map((nodeId, index) => {
      sampledUs += timeDeltas[index] ?? 0;
      return { nodeId, atUs: sampledUs };
    })
    .sort((a, b) => a.atUs - b.atUs);
  const times = new Map<number, number>();
  for (const [index, { nodeId, atUs }] of moments.entries()) {
    const lastedUs = (moments[index + 1]?.atUs ?? endTime) - atUs;
    times.set(nodeId, (times.get(nodeId) ?? 0) + Math.max(0, lastedUs));
  }
  return times;
}

/** A function over all paths on which it was called. */
export type FunctionCost = {
  name: string;
  /** Its file as a URL and its line, counted from 1; '' where there is no source. */
  place: string;
  /** Microseconds in which it was on top of the stack. */
  selfUs: number;
  /** Microseconds in which it was anywhere on the stack. */
  totalUs: number;
};

/** Every function of a profile by its own time, the longest first, V8's `(idle)` and `(garbage collector)` among them. */
export function functionCosts(profile: CpuProfile): FunctionCost[] {
  const callers = new Map<number, ProfileNode>();
  for (const node of profile.nodes) for (const child of node.children ?? []) callers.set(child, node);
  const times = selfTimes(profile);
  const costs = new Map<string, FunctionCost>();
  for (const top of profile.nodes) {
    const us = times.get(top.id) ?? 0;
    // A function that has called itself is on the stack several times, and its time counts once.
    const onStack = new Set<FunctionCost>();
    for (let node: ProfileNode | undefined = top; us > 0 && node !== undefined; node = callers.get(node.id)) {
      onStack.add(costOf(node.callFrame, costs));
    }
    for (const cost of onStack) cost.totalUs += us;
    const [own] = onStack;
    if (own !== undefined) own.selfUs += us;
  }
  return [...costs.values()].sort((a, b) => b.selfUs - a.selfUs);
}

function costOf(
  { functionName, url, lineNumber }: CallFrame,
  costs: Map<string, FunctionCost>,
): FunctionCost {
  const place = url === '' ? '' : `${url}:${lineNumber + 1}`;
  const key = `${functionName} ${place}`;
  const cost = costs.get(key) ?? { name: functionName || '(anonymous)', place, selfUs: 0, totalUs: 0 };
  costs.set(key, cost);
  return cost;
}
