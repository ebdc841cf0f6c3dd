// What the keeper and its workers say to each other. The keeper does everything to its table first-hand; each worker repeats
// that in the same order on its copy, and reports what its requests show of the servers.
import type { Line } from '../../shared/log.ts';
import type { HeartbeatPacket, LeavePacket, SetupPacket } from '../../shared/packet.ts';
import type { ListenerCounters } from '../clients/listener.ts';
import type { State } from '../health/health.ts';
import type { Ending, TakenTraffic } from '../metrics/traffic.ts';
import type { ForwarderCounters } from '../routing/forwarder.ts';
import type { FailureKind } from '../servers/failure.ts';
import type { NamedRequest, Registration, Suspect } from '../servers/upstream.ts';

/** Stands for a server in messages: another one for each entry of the table. */
export type Ref = number;
/** Stands for a connection of a worker on which a setup packet came. */
export type ConnectionRef = number;

/** What a worker needs to know of a server's state; times are monotonic ms. */
export type Standing = { state: State; sinceMs: number; isDrained: boolean; order: number };

/** How the table changes. */
export type TableChange =
  | { kind: 'add'; ref: Ref; registration: Registration; standing: Standing; tally: SharedArrayBuffer }
  /** The policy's rotation is now that of the keeper at this epoch. */
  | { kind: 'follow'; policy: string; turn: SharedArrayBuffer; epoch: number }
  | { kind: 'place'; ref: Ref; standing: Standing; nowMs: number }
  /** An order to drain a server that is not in rotation was given, or taken back. */
  | { kind: 'stand'; ref: Ref; standing: Standing }
  | { kind: 'remove'; ref: Ref; nowMs: number }
  | { kind: 'leaving'; ref: Ref }
  | { kind: 'retire'; ref: Ref }
  | { kind: 'destroy'; ref: Ref }
  /** All that belongs to one change of a policy has been said: requests that wait are to be looked at. */
  | { kind: 'changed'; policy: string };

export type ToWorker =
  | TableChange
  /** Listen on this port, which the keeper has claimed. */
  | { kind: 'open'; port: number }
  | { kind: 'answer'; connection: ConnectionRef; line: string; hasSession: boolean }
  | { kind: 'send'; connection: ConnectionRef; line: string }
  | { kind: 'close'; connection: ConnectionRef; how: 'when-idle' | 'at-once' }
  /** Report what has been counted since the last report. */
  | { kind: 'report' }
  /** Tell of requests that end, or no more. */
  | { kind: 'watch'; isOn: boolean }
  | { kind: 'stop'; otherProxies: readonly string[] | null };

/** What is counted up for ever. */
export type WorkerCounts = {
  forwarder: ForwarderCounters;
  listener: ListenerCounters;
  accessLogDropped: number;
  /** How long its event loop has not waited for events. */
  activeMs: number;
};
/** What is as it is now, of one worker. */
export type Gauges = {
  openRequests: number;
  heapBytes: number;
  /** Of each policy that has a route. */
  routes: ReadonlyMap<string, { waiting: number; budgetLeft: number }>;
};

export type Report = {
  counts: WorkerCounts;
  traffic: readonly TakenTraffic[];
  loopDelay: Float64Array;
  durations: readonly { ref: Ref; counts: Uint32Array }[];
  gauges: Gauges;
};

export type ToKeeper =
  /** It takes messages. */
  | { kind: 'ready' }
  | { kind: 'opened' }
  /** It could not listen. */
  | { kind: 'unopened'; code: string | undefined; message: string; port: number | undefined }
  | {
      kind: 'setup';
      connection: ConnectionRef;
      /** The peer's address, and which of our own it has connected to. */
      from: string;
      to: string;
      packet: SetupPacket;
      heardMs: number;
    }
  | {
      kind: 'session-packet';
      connection: ConnectionRef;
      packet: HeartbeatPacket | LeavePacket;
      heardMs: number;
    }
  /** A connection on which a setup packet came is over. */
  | { kind: 'ended'; connection: ConnectionRef }
  | { kind: 'broke'; ref: Ref; suspect: Suspect }
  /** `atMs`: monotonic ms. */
  | { kind: 'failure'; ref: Ref; failure: FailureKind; request: NamedRequest | null; atMs: number }
  | { kind: 'silence'; ref: Ref; request: NamedRequest }
  | { kind: 'trial-passed'; ref: Ref }
  /** It is leaving, and none of this worker's requests is on it. */
  | { kind: 'drained'; ref: Ref }
  | { kind: 'report'; report: Report }
  | { kind: 'ending'; ending: Ending }
  | { kind: 'log'; line: Line }
  /** Of its stop: it refuses what is new; it closes its connections, sessions included; it has closed everything. */
  | { kind: 'draining' | 'closing' | 'closed' };
