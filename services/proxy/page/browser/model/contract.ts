// What the status listener sends to the page: both sides take these types. Times are ms since the epoch, on the proxy's clock.
import type { Because } from '../../../health/cause.ts';

export type State = 'joining' | 'ready' | 'standby' | 'suspect' | 'evicted' | 'ejected' | 'trial' | 'leaving';

export type Next =
  | {
      kind: 'good-probes';
      have: number;
      need: number;
      nextProbeMs: number | null;
      forgottenMs: number;
    }
  | { kind: 'penalty'; endsMs: number }
  | { kind: 'trial' }
  | { kind: 'first-probe'; nextProbeMs: number | null; givenUpMs: number }
  | { kind: 'would-leave'; failed: number; fall: number; nextProbeMs: number | null }
  | { kind: 'deciding-probe'; byMs: number | null }
  | { kind: 'drain'; open: number };

export type Probe = { atMs: number; outcome: string; roundTripMs: number; detail: string };

export type Server = {
  id: string | number;
  policy: string;
  /** Its container's name; null where none is known. */
  name: string | null;
  address: string;
  state: State;
  ordered: 'none' | 'drained';
  orderedBy: string | null;
  orderedReason: string | null;
  /** Since when it has been drained. */
  orderedSinceMs: number | null;
  /** Since when it has been in its measured state. */
  sinceMs: number;
  why: string;
  /** null of one that stands by. */
  next: Next | null;
  lastProbe: Probe | null;
  /** The last 50, oldest first: `a` to `j` passed, by the round trip; `!` failed; `-` could not be judged. */
  bars: string;
  ejections: number;
  requestsPerS: number;
  inFlight: number;
  served: number;
  failed: number;
  p50Ms: number | null;
  p99Ms: number | null;
  session: boolean;
  keepAlive: boolean;
};

export type Policy = {
  policy: string;
  nextId: string | number | null;
  waiting: number;
  /** What is left of the retry budget, from 0 to 1. */
  budgetRatio: number;
  p50Ms: number | null;
  p99Ms: number | null;
  servers: Server[];
};

export type Fault = Readonly<{
  /** Its reporter's own name for it, by which it reports the end. */
  id: string;
  kind: string;
  /** What it hits; several are separated by `, `. */
  target: string;
  detail: string;
  fromMs: number;
  /** null while it is on. */
  untilMs: number | null;
}>;

export type Totals = {
  requestsPerS: number;
  inFlight: number;
  waiting: number;
  p50Ms: number | null;
  p99Ms: number | null;
  connections: number;
  errorsPerS: Record<string, number>;
  retriesPerS: number;
};

export type ClusterState = { atMs: number; proxy: Totals; policies: Policy[] };

export type Hello = {
  boot: string;
  version: string;
  startedMs: number;
  wellKnownPort: number;
  host: string;
  /** How many threads serve requests. */
  workers: number;
  thresholds: Thresholds;
};

type Thresholds = Record<'healthTimeoutMs' | 'holdMs' | 'retryBudget', number>;

export type ClusterEvent = Because & {
  seq: number;
  atMs: number;
  type: string;
  policy: string;
  id: string | number;
  address: string;
};

/** A request that was answered. */
export type Sample = { policy: string; id: string | number };

/** The last ones; each stands for `share` requests. */
export type SampleBatch = { share: number; samples: Sample[] };

export type Series = (number | null)[];

export type Out = {
  policy: string;
  id: string | number;
  fromMs: number;
  untilMs: number | null;
  state: string;
  why: string;
};

export type History = {
  stepMs: number;
  fromMs: number;
  rate: Series;
  policyRates: Record<string, Series>;
  p50Ms: Series;
  p90Ms: Series;
  p99Ms: Series;
  errors: Record<string, Series>;
  retries: Series;
  faults: Fault[];
  outs: Out[];
};

export type ServerDetail = { row: Server; transitions: ClusterEvent[]; probes: Probe[] };

export type Sent = {
  ok: boolean;
  reply: { type?: number; code?: string; payload?: string; srcid?: string | number; error?: string } | null;
  raw: string;
  server: { id: string | number } | null;
  attempts: { id: string | number; outcome: string; ms?: number | undefined }[];
  /** `queueMs`: until the server that answered had it; both only of an answer. */
  phases: { connectMs?: number; queueMs?: number; upstreamMs?: number; totalMs: number };
};

export type Act = 'drain' | 'resume' | 'forget' | 'probe';
