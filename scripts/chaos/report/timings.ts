// pure · faults and the proxy's events → how long it took to take a server out and to let it back in.
// Must never measure otherwise than the judge does: the points drawn are those that it judged.

import type { Recording } from '../journal.ts';
import { outOf } from '../judge/detection.ts';
import { DEATH_LIMIT_MS, DEATH_P95_LIMIT_MS, HANG_LIMIT_MS, READMISSION_LIMIT_MS } from '../judge/limits.ts';
import { Observations, type ServerHit, struckMsOf } from '../judge/observations.ts';
import { absenceOf } from '../judge/recovery.ts';
import { FAULT_KINDS, type FaultKind } from '../plan.ts';

/** What the hits of one kind of fault took. */
export type Timings = {
  kind: FaultKind;
  /** In ms, one for each hit that had its event, in the order of the hits. */
  times: number[];
  /** Hits without it: not taken out at all, or not back before the next hit or the end. */
  none: number;
};

const DETECTION_LIMITS: Partial<Record<FaultKind, readonly number[]>> = {
  kill: [DEATH_P95_LIMIT_MS, DEATH_LIMIT_MS],
  pause: [HANG_LIMIT_MS],
  partition: [HANG_LIMIT_MS],
};
const READMISSION_LIMITS: Partial<Record<FaultKind, readonly number[]>> = {
  pause: [READMISSION_LIMIT_MS],
  partition: [READMISSION_LIMIT_MS],
};

/** What the design promises for a kind of fault, in ms; empty where it promises nothing. */
export function detectionLimits(kind: FaultKind): readonly number[] {
  return DETECTION_LIMITS[kind] ?? [];
}

export function readmissionLimits(kind: FaultKind): readonly number[] {
  return READMISSION_LIMITS[kind] ?? [];
}

/** From when each hit had happened for certain until its server got no request any more. */
export function detections(recording: Recording): Timings[] {
  return byKind(recording, (seen, each) => {
    const out = outOf(seen, each);
    return out === null ? null : Math.max(0, out.atMs - struckMsOf(each));
  });
}

/** From when the server was there again until it was admitted; hits that took nobody out don't count. */
export function readmissions(recording: Recording): Timings[] {
  return byKind(recording, (seen, each) => {
    const absence = absenceOf(seen, each);
    return absence === null ? 'does not count' : absence.afterMs;
  });
}

function byKind(
  recording: Recording,
  measure: (seen: Observations, each: ServerHit) => number | null | 'does not count',
): Timings[] {
  const found = new Map<FaultKind, Timings>();
  const seen = new Observations(recording);
  for (const each of seen.serverHits) {
    const time = measure(seen, each);
    if (time === 'does not count') continue;
    const { kind } = each.fault;
    const timings = found.get(kind) ?? { kind, times: [], none: 0 };
    if (time === null || !Number.isFinite(time)) timings.none += 1;
    else timings.times.push(time);
    found.set(kind, timings);
  }
  return FAULT_KINDS.flatMap((kind) => found.get(kind) ?? []);
}
