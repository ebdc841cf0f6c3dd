// pure · what was seen in a chaos run, as data. All times are ms after the load has started; negative ones were before.

import type { ProxyEvent, TableSample } from '../kit/proxy-events.ts';
import type { Judgement } from '../kit/verdict.ts';
import type { Outcome } from '../load/exchange.ts';
import type { FaultKind, Plan } from './plan.ts';

export type PhaseName = 'warm-up' | 'control' | 'faults' | 'quiet' | 'after';
export type Phase = { name: PhaseName; fromMs: number; toMs: number };

/** One server (or the proxy) that a fault has hit; a flapping one is hit again and again. */
export type Hit = {
  /** The replica, for example `server-p1-1` or `proxy-1`. */
  target: string;
  /** What it registered as; null for the proxy. */
  serverId: string | null;
  /** null for the proxy. */
  policy: string | null;
  /** Just before the call that does it. */
  fromMs: number;
  /** By when it had happened for certain: the process had ended, or the call had returned; null where it never did. */
  struckMs: number | null;
  /** Just before the call that ends it; null while it lasts. */
  healMs: number | null;
  /** When that call had returned; for a fault that ends by itself, when the replica was seen to run again. */
  healedMs: number | null;
};

export type FaultRecord = {
  /** That of the plan. */
  id: number;
  kind: FaultKind;
  targets: readonly string[];
  params: Readonly<Record<string, number>>;
  /** Just before the first call. */
  injectMs: number;
  /** When the last call of the injection had returned. */
  injectedMs: number;
  healMs: number | null;
  healedMs: number | null;
  hits: Hit[];
  /** Whether its effect was seen, and how. Without proof the run shows nothing. */
  isProven: boolean;
  proof: string;
  /** Entries of the connection tracking table at the injection; null where it can't be read. */
  conntrack: number | null;
};

/** What the machine kept from those at work since the sample before: time in which they could have run and were not let. */
export type MachineSample = {
  atMs: number;
  /** By how much the load generator's timers were late. */
  loadLagMs: number;
  /** Replica → how long its main thread waited for a processor; who hardly waited is left out. */
  waitMs: Record<string, number>;
  /** Entries of the connection tracking table; null where it can't be read. */
  conntrack: number | null;
};

/** What became of one request. */
export type RequestRow = {
  /** Its intended start. */
  dueMs: number;
  /** From the intended start to its end. */
  latencyMs: number;
  policy: string;
  outcome: Outcome;
  /** Server id (ok, wrong), code (error), reason (lost, dropped). */
  detail: string;
  attempts: number;
  /** How its first attempt went, when there was more than one. */
  first: {
    outcome: Outcome;
    detail: string;
    /** When the first attempt was sent. */
    sentMs: number;
    endMs: number;
    /** Since when its connection stood; null when it never did, so that nothing was sent. */
    openedMs: number | null;
  } | null;
};

/** Why a run was cut short that a person has ended: whatever its findings say, its verdict is unknown. */
export const INTERRUPTED = 'it was interrupted';

/** What one proxy showed. */
export type ProxyView = {
  /** The replica, for example `proxy-1`. */
  proxy: string;
  events: ProxyEvent[];
  tables: TableSample[];
  /** When its status port was found to answer: at the start, and after each outage. */
  listens: number[];
  /** When it was found to answer no more. */
  closes: number[];
};

/** Everything that was seen in one run, with the view of the first proxy. */
export type Recording = ProxyView & {
  /** Those of further proxies. */
  others: ProxyView[];
  plan: Plan;
  /** ISO 8601: time 0. */
  startedAt: string;
  endedMs: number;
  phases: Phase[];
  faults: FaultRecord[];
  /** The calibration beside the run, some 20 samples a second; empty where the machine does not tell. */
  machine: MachineSample[];
  requests: RequestRow[];
  /** Server id → replica, for people: `a4fd3782281e` → `server-p1-1`. */
  names: Record<string, string>;
  /** After healing: what is still paused, detached, throttled or not running; empty is good. */
  leftovers: string[];
  /** Set when the run ended before its plan did, with the reason. */
  cutShort: string | null;
  /** The load generator's own delay in starting requests, p99 in ms. */
  startLagP99Ms: number;
  /** Answers that came without a request waiting for them. */
  strayAnswers: number;
};

/** A recording once for each proxy, with the view of that one. */
export function recordingsByProxy(recording: Recording): Recording[] {
  const { proxy, events, tables, listens, closes, others } = recording;
  const views = [{ proxy, events, tables, listens, closes }, ...others];
  return views.map((view) => ({ ...recording, ...view, others: views.filter((other) => other !== view) }));
}

/** What the report of a run is made of. */
export type ReportContents = {
  /** One line, for example `kill: a server dies`. */
  title: string;
  recording: Recording;
  judgement: Judgement;
  /** What ran, by name. */
  versions: Readonly<Record<string, string>>;
  /** The command that runs it again. */
  replay: string;
};

/** The document `journal.json`; the requests lie beside it in `requests.csv`. */
export type Journal = Omit<ReportContents, 'recording'> & {
  version: 1;
  recording: Omit<Recording, 'requests'>;
  /** Counts by outcome. */
  totals: Record<Outcome, number>;
};
