// pure · what was seen in a soak, as data: the verdict and the report read nothing else.
// All times are ms after the churn has begun. Must never hold a judgement of its own.
import type { Deed } from './plan.ts';

/** Open files of a process, by kind. */
export type Handles = { total: number; sockets: number; pipes: number; files: number; others: number };

/** What the proxy's process tells of itself, about once a second. */
export type Inside = { heapBytes: number; delayP99Ms: number; delayMaxMs: number };

/** How many requests ended how. */
export type Counts = { ok: number; wrong: number; error: number; lost: number; dropped: number };

/** One moment of the proxy; null where it did not tell. `counts` are those of the time since the last sample. */
export type Sample = {
  atMs: number;
  residentBytes: number;
  handles: Handles;
  inside: Inside | null;
  /** Connections to the well-known port. */
  connections: number | null;
  /** Servers in the table, and those of them in rotation. */
  servers: number | null;
  ready: number | null;
  counts: Counts;
};

/** What became of a deed of the plan. `skipped`: it would have taken the last healthy server of a policy. */
export type DoneDeed = { deed: Deed; atMs: number; endedMs: number | null; isSkipped: boolean };

/** The proxy with all servers in rotation and no client. */
export type Rest = { handles: Handles; connections: number; servers: readonly string[] };

export type Soak = {
  version: 1;
  /** ISO 8601. */
  startedAt: string;
  seed: number;
  rate: number;
  plannedMs: number;
  /** How long the churn went on. */
  churnMs: number;
  /** Until when samples were taken. */
  endedMs: number;
  samples: readonly Sample[];
  deeds: readonly DoneDeed[];
  /** From the first request to the last, the calm at both ends included. */
  counts: Counts;
  errors: Readonly<Record<string, number>>;
  /** The first requests that did not end well, a line each. */
  faults: readonly string[];
  strayAnswers: number;
  /** Before and after; null when that was not reached. */
  before: Rest | null;
  after: Rest | null;
  /** The servers that live at the end, as the table would name them: `policy/id`. */
  living: readonly string[];
  /** How the proxy ended by itself; null when it did not. */
  proxyEnded: string | null;
  /** What else went wrong, so that the run shows less than it was to show. */
  problems: readonly string[];
  cutShort: string | null;
};

export const NO_COUNTS: Counts = { ok: 0, wrong: 0, error: 0, lost: 0, dropped: 0 };
