// pure · collects what is seen in a run, in ms since the epoch; at the end it is dated from the start of the load.
import type { Replica } from '../../cluster/docker.ts';
import { noOutcomes, type Outcome, type RequestRecord } from '../../load/exchange.ts';
import type { LoadEnd } from '../../load/load-thread.ts';
import type { HitNote } from '../faults/fault.ts';
import type {
  FaultRecord,
  Hit,
  MachineSample,
  PhaseName,
  ProxyView,
  Recording,
  RequestRow,
} from '../journal.ts';
import type { Plan, PlannedFault } from '../plan.ts';

/** What happened earlier than this before the load is of no interest. */
const BEFORE_MS = 1_000;

export class Recorder {
  readonly #plan: Plan;
  readonly #now: () => number;
  #startedMs: number;
  readonly #requests: RequestRecord[] = [];
  /** What each proxy shows; one at least. */
  readonly views: readonly ProxyView[];
  readonly machine: MachineSample[] = [];
  readonly #faults: FaultRecord[] = [];
  readonly #phases: Recording['phases'] = [];
  readonly #names: Record<string, string> = {};
  readonly #counts = noOutcomes();

  /**
   * @param now     ms since the epoch
   * @param proxies their names
   */
  constructor(plan: Plan, now: () => number, proxies: readonly string[] = ['proxy-1']) {
    this.#plan = plan;
    this.views = proxies.map((proxy) => ({ proxy, events: [], tables: [], listens: [], closes: [] }));
    this.#now = now;
    this.#startedMs = now();
  }

  /** Time 0: the load has begun, before any phase or fault. */
  start(epochMs: number): void {
    this.#startedMs = epochMs;
  }

  /** Milliseconds since time 0. */
  elapsedMs(): number {
    return this.#now() - this.#startedMs;
  }

  get counts(): Readonly<Record<Outcome, number>> {
    return this.#counts;
  }

  /** Faults that have begun and are not healed. */
  get activeFaults(): readonly FaultRecord[] {
    return this.#faults.filter(({ healedMs }) => healedMs === null);
  }

  /** Requests that were due in a span of the run. */
  requestsDue(fromMs: number, toMs: number): RequestRecord[] {
    const [from, to] = [fromMs + this.#startedMs, toMs + this.#startedMs];
    return this.#requests.filter(({ dueEpochMs }) => dueEpochMs >= from && dueEpochMs < to);
  }

  nameReplicas(replicas: readonly Replica[]): void {
    for (const { serverId, name } of replicas) this.#names[serverId] = name;
  }

  request(record: RequestRecord): void {
    this.#counts[record.outcome] += 1;
    this.#requests.push(record);
  }

  phase(name: PhaseName, fromMs: number, toMs: number): void {
    this.#phases.push({ name, fromMs, toMs });
  }

  /** A fault begins now. @returns its record, to be completed as it goes on */
  fault({ id, kind, targets, params }: PlannedFault, conntrack: number | null): FaultRecord {
    const injectMs = this.elapsedMs();
    const record: FaultRecord = {
      id,
      kind,
      targets,
      params,
      injectMs,
      injectedMs: injectMs,
      healMs: null,
      healedMs: null,
      hits: [],
      isProven: false,
      proof: 'not looked at',
      conntrack,
    };
    this.#faults.push(record);
    return record;
  }

  /** A replica is about to be hit. */
  hit(record: FaultRecord, { name, serverId, policy }: Replica): HitNote {
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
    const [first, ...others] = this.views.map((view) => this.#datedView(view));
    return {
      ...(first as ProxyView),
      others,
      plan: this.#plan,
      startedAt: new Date(this.#startedMs).toISOString(),
      endedMs: this.elapsedMs(),
      phases: this.#phases,
      faults: this.#faults,
      machine: this.#dated(this.machine),
      requests: this.#requests.map((record) => this.#row(record)).sort((a, b) => a.dueMs - b.dueMs),
      names: this.#names,
      leftovers,
      cutShort,
      startLagP99Ms: end?.startLagP99Ms ?? 0,
      strayAnswers: end?.strayAnswers ?? 0,
    };
  }

  #datedView({ proxy, events, tables, listens, closes }: ProxyView): ProxyView {
    const seen = this.#dated(events).filter(({ atMs }) => atMs >= -BEFORE_MS);
    return {
      proxy,
      events: seen.sort((a, b) => a.atMs - b.atMs),
      tables: this.#dated(tables),
      listens: listens.map((atMs) => atMs - this.#startedMs),
      closes: closes.map((atMs) => atMs - this.#startedMs),
    };
  }

  #dated<Item extends { atMs: number }>(items: readonly Item[]): Item[] {
    return items.map((item) => ({ ...item, atMs: item.atMs - this.#startedMs }));
  }

  #row({ dueEpochMs, first, ...rest }: RequestRecord): RequestRow {
    const dueMs = dueEpochMs - this.#startedMs;
    if (first === null) return { dueMs, ...rest, first };
    const { sentEpochMs, endedMs, openedEpochMs, ...ending } = first;
    const sentMs = sentEpochMs - this.#startedMs;
    const openedMs = openedEpochMs === null ? null : openedEpochMs - this.#startedMs;
    return { dueMs, ...rest, first: { ...ending, sentMs, endMs: dueMs + endedMs, openedMs } };
  }
}
