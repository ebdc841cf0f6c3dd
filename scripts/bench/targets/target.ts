// seam · what is measured looks like from outside: a port that takes requests, and the processes that serve them.
// Must never know how it is measured.
import type { PeerPrograms } from '../peer-programs.ts';
import type { TargetName } from '../plan.ts';

/** A server that listens on 127.0.0.1. */
export type ServerAddress = { id: number; policy: number; port: number };

/** What a target may use to start. */
export type TargetContext = {
  servers: readonly ServerAddress[];
  peers: PeerPrograms;
  /** For configurations that are filled in. */
  folder: string;
  signal: AbortSignal;
};

export type RunningTarget = {
  name: TargetName;
  port: number;
  /** The process that serves, or the parent of those that do; null where there is no proxy. */
  pid: number | null;
  stop(): Promise<void>;
};
