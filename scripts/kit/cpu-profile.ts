// pure · a CPU profile as V8 writes it (`.cpuprofile`), and the part of it that lies in a span of time.
// Must never change whose time it is: a sample lasts until the next one, as in Chrome's DevTools.

/** Where a function is: lines and columns count from 0, and are -1 where there is no source. */
export type CallFrame = {
  functionName: string;
  scriptId: string;
  url: string;
  lineNumber: number;
  columnNumber: number;
};

/** One function as it was called on one path from the root. */
export type ProfileNode = {
  id: number;
  callFrame: CallFrame;
  hitCount?: number;
  children?: number[];
};

/** Times are microseconds of the monotonic clock that `process.hrtime` reads too, in any process of the machine. */
export type CpuProfile = {
  nodes: ProfileNode[];
  startTime: number;
  endTime: number;
  /** The node that was on top of the stack at each moment. */
  samples: number[];
  /** Microseconds from the moment before, the first from `startTime`; some may be negative. */
  timeDeltas: number[];
};

/** From when to when, microseconds of the same clock. */
export type Span = { fromUs: number; toUs: number };

type Moment = { nodeId: number; atUs: number };

/**
 * @param text a `.cpuprofile` file
 * @throws SyntaxError when it is none
 */
export function parseProfile(text: string): CpuProfile {
  const profile = JSON.parse(text) as Partial<CpuProfile>;
  const { nodes, samples, timeDeltas, startTime, endTime } = profile;
  const isWhole =
    Array.isArray(nodes) &&
    Array.isArray(samples) &&
    Array.isArray(timeDeltas) &&
    samples.length === timeDeltas.length &&
    Number.isFinite(startTime) &&
    Number.isFinite(endTime);
  if (!isWhole) throw new SyntaxError('This is not a CPU profile with samples and their times.');
  return profile as CpuProfile;
}

/**
 * The part of a profile that lies in a span, as a profile of its own: with the nodes that were on a stack then.
 * @throws RangeError when the profile does not cover the span: then the clocks are not the same
 */
export function cutProfile(profile: CpuProfile, { fromUs, toUs }: Span): CpuProfile {
  if (!(profile.startTime <= fromUs && fromUs < toUs && toUs <= profile.endTime)) {
    const spans = `from ${profile.startTime} to ${profile.endTime}, and ${fromUs} to ${toUs} was wanted`;
    throw new RangeError(`The profile does not cover the time of the load: it goes ${spans} (µs).`);
  }
  const moments = momentsOf(profile);
  const inside = moments.filter(({ atUs }) => atUs > fromUs && atUs < toUs);
  // Whoever was on top when the span began was so until the first moment inside.
  const before = moments.findLast(({ atUs }) => atUs <= fromUs);
  const kept = before === undefined ? inside : [{ ...before, atUs: fromUs }, ...inside];
  return {
    nodes: usedNodes(profile.nodes, kept),
    startTime: fromUs,
    endTime: toUs,
    samples: kept.map(({ nodeId }) => nodeId),
    timeDeltas: kept.map(({ atUs }, index) => atUs - (kept[index - 1]?.atUs ?? fromUs)),
  };
}

/** How long each node was on top of the stack, by its id, in microseconds. */
export function selfTimes(profile: CpuProfile): Map<number, number> {
  const moments = momentsOf(profile);
  const times = new Map<number, number>();
  for (const [index, { nodeId, atUs }] of moments.entries()) {
    const lastedUs = (moments[index + 1]?.atUs ?? profile.endTime) - atUs;
    times.set(nodeId, (times.get(nodeId) ?? 0) + Math.max(0, lastedUs));
  }
  return times;
}

// V8 may note samples in another order than they were taken in.
function momentsOf({ samples, timeDeltas, startTime }: CpuProfile): Moment[] {
  let atUs = startTime;
  const moments = samples.map((nodeId, index) => {
    atUs += timeDeltas[index] ?? 0;
    return { nodeId, atUs };
  });
  return moments.sort((a, b) => a.atUs - b.atUs);
}

function usedNodes(nodes: readonly ProfileNode[], moments: readonly Moment[]): ProfileNode[] {
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const hits = new Map<number, number>();
  for (const { nodeId } of moments) hits.set(nodeId, (hits.get(nodeId) ?? 0) + 1);
  const used = new Set<number>();
  for (const nodeId of hits.keys()) {
    let id: number | undefined = nodeId;
    while (id !== undefined && !used.has(id)) {
      used.add(id);
      id = parents.get(id);
    }
  }
  return nodes
    .filter(({ id }) => used.has(id))
    .map(({ id, callFrame, children = [] }) => ({
      id,
      callFrame,
      hitCount: hits.get(id) ?? 0,
      children: children.filter((child) => used.has(child)),
    }));
}
