// pure · collects what is seen in a run and dates it from the start of the load. The only writer of a recording.
// Must never judge, or drop anything because it is inconvenient.

import type { RequestRecord } from '../../load/exchange.ts';
import type { LoadEnd } from '../../load/load-process.ts';
import type { Replica } from '../docker.ts';
import type { HitNote, Proof } from '../faults/fault.ts';
import type {
  FaultRecord,
  Hit,
  MachineSample,
  Outcome,
  PhaseName,
  ProxyEvent,
  Recording,
  RequestRow,
  TableSample,
} from '../journal.ts';
import type { Plan, PlannedFault } from '../plan.ts';

/** What happened earlier than this before the load is of no interest. */
const BEFORE_MS = 1_000;

export type Counts = Record<Outcome, number>;

export class Recorder {
  readonly #plan: Plan;
  readonly #now: () => number;
  #startedMs = 0;
  readonly #requests: RequestRow[] = [];
  readonly #events: ProxyEvent[] = [];
  readonly #tables: TableSample[] = [];
  readonly #machine: MachineSample[] = [];
  readonly #listens: number[] = [];
  readonly #faults: FaultRecord[] = [];
  readonly #phases: Recording['phases'] = [];
  readonly #names: Record<string, string> = {};
  readonly #counts: Counts = { ok: 0, wrong: 0, error: 0, lost: 0, dropped: 0 };

  /** @param now ms since the epoch */
  constructor(plan: Plan, now: () => number) {
    this.#plan = plan;
    this.#now = now;
    this.#startedMs = now();
  }

  /** Time 0: what was noted before is dated anew. */
  start(epochMs: number): void {
    const shiftMs = epochMs - this.#startedMs;
    this.#startedMs = epochMs;
    for (const event of this.#events) event.atMs -= shiftMs;
    for (const table of this.#tables) table.atMs -= shiftMs;
    for (const sample of this.#machine) sample.atMs -= shiftMs;
    for (const [index, atMs] of this.#listens.entries()) this.#listens[index] = atMs - shiftMs;
    for (const request of this.#requests) {
      request.dueMs -= shiftMs;
      if (request.first !== null) {
        request.first.sentMs -= shiftMs;
        request.first.endMs -= shiftMs;
      }
    }
  }

  /** Milliseconds since time 0. */
  elapsedMs(): number {
    return this.#now() - this.#startedMs;
  }

  get counts(): Readonly<Counts> {
    return this.#counts;
  }

  /** Faults that have begun and are not healed. */
  get activeFaults(): readonly FaultRecord[] {
    return this.#faults.filter(({ healedMs }) => healedMs === null);
  }

  get lastTable(): TableSample | undefined {
    return this.#tables.at(-1);
  }

  /** Requests that were due in a span of the run. */
  requestsDue(fromMs: number, toMs: number): RequestRow[] {
    return this.#requests.filter(({ dueMs }) => dueMs >= fromMs && dueMs < toMs);
  }

  nameReplicas(replicas: readonly Replica[]): void {
    for (const { serverId, name } of replicas) this.#names[serverId] = name;
  }

  /** What people call a server. */
  nameOf(serverId: string): string {
    return this.#names[serverId] ?? serverId;
  }

  request({ dueEpochMs, latencyMs, policy, outcome, detail, attempts, first }: RequestRecord): void {
    this.#counts[outcome] += 1;
    this.#requests.push({
      dueMs: dueEpochMs - this.#startedMs,
      latencyMs,
      policy,
      outcome,
      detail,
      attempts,
      first: first && {
        outcome: first.outcome,
        detail: first.detail,
        sentMs: first.sentEpochMs - this.#startedMs,
        endMs: dueEpochMs - this.#startedMs + first.endedMs,
        openedMs: first.openedEpochMs === null ? null : first.openedEpochMs - this.#startedMs,
      },
    });
  }

  event(event: ProxyEvent): void {
    this.#events.push({ ...event, atMs: event.atMs - this.#startedMs });
  }

  table(sample: TableSample | null): void {
    if (sample !== null) this.#tables.push({ ...sample, atMs: sample.atMs - this.#startedMs });
  }

  /** The proxy answers at its status port. */
  listens(atEpochMs: number): void {
    this.#listens.push(atEpochMs - this.#startedMs);
  }

  machine(sample: MachineSample): void {
    this.#machine.push({ ...sample, atMs: sample.atMs - this.#startedMs });
  }

  phase(name: PhaseName, fromMs: number, toMs: number): void {
    this.#phases.push({ name, fromMs, toMs });
  }

  /** A fault begins now. */
  fault({ id, kind, targets, params }: PlannedFault, conntrack: number | null): FaultNote {
    const record: FaultRecord = {
      id,
      kind,
      targets,
      params,
      injectMs: this.elapsedMs(),
      injectedMs: this.elapsedMs(),
      healMs: null,
      healedMs: null,
      hits: [],
      isProven: false,
      proof: 'not looked at',
      conntrack,
    };
    this.#faults.push(record);
    return {
      hit: (replica) => this.#hit(record, replica),
      injected: () => {
        record.injectedMs = this.elapsedMs();
      },
      proven: ({ isProven, evidence }) => Object.assign(record, { isProven, proof: evidence }),
      healing: () => {
        record.healMs = this.elapsedMs();
      },
      healed: () => {
        record.healedMs = this.elapsedMs();
      },
    };
  }

  #hit(record: FaultRecord, { name, serverId, policy }: Replica): HitNote {
    const hit: Hit = {
      target: name,
      serverId: policy === null ? null : serverId,
      policy,
      fromMs: this.elapsedMs(),
      struckMs: null,
      healMs: null,
      healedMs: null,
    };
    record.hits.push(hit);
    return {
      struck: (atEpochMs) => {
        const nowMs = this.elapsedMs();
        const atMs = atEpochMs === undefined ? nowMs : atEpochMs - this.#startedMs;
        // The engine's clock may be another one: what it says holds only where it can be true.
        hit.struckMs ??= Math.min(Math.max(atMs, hit.fromMs), nowMs);
      },
      healing: () => {
        hit.healMs ??= this.elapsedMs();
      },
      healed: () => {
        hit.healMs ??= this.elapsedMs();
        hit.healedMs ??= this.elapsedMs();
      },
    };
  }

  /** Everything, once the run is over. */
  finish(end: LoadEnd | null, leftovers: string[], cutShort: string | null): Recording {
    return {
      plan: this.#plan,
      startedAt: new Date(this.#startedMs).toISOString(),
      endedMs: this.elapsedMs(),
      phases: this.#phases,
      faults: this.#faults,
      events: this.#events.filter(({ atMs }) => atMs >= -BEFORE_MS).toSorted((a, b) => a.atMs - b.atMs),
      tables: this.#tables,
      machine: this.#machine,
      listens: this.#listens,
      requests: this.#requests.toSorted((a, b) => a.dueMs - b.dueMs),
      names: this.#names,
      leftovers,
      cutShort,
      startLagP99Ms: end?.startLagP99Ms ?? 0,
      strayAnswers: end?.strayAnswers ?? 0,
    };
  }
}

/** Goes on noting what becomes of a fault. */
export type FaultNote = {
  hit(replica: Replica): HitNote;
  injected(): void;
  proven(proof: Proof): void;
  healing(): void;
  healed(): void;
};
