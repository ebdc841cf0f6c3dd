// test support · a recording of a run in which everything went well, and what a test changes in it.
// Must never judge: tests say what they expect in figures.
import assert from 'node:assert/strict';
import { test } from 'node:test';
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
  Verdict,
} from '../../scripts/chaos/journal.ts';
import { type Criterion, judge } from '../../scripts/chaos/judge/judge.ts';
import type { FaultKind, Plan } from '../../scripts/chaos/plan.ts';
import type { EventType } from '../../services/proxy/status/events.ts';

/** One hit: on which server (`proxy` for the proxy), from, heal and healed; `null` where it never was. */
export type HitSketch = [on: string, fromMs: number, healMs: number | null, healedMs?: number | null];
export type FaultSketch = { kind: FaultKind; hits: HitSketch[] } & Partial<Omit<FaultRecord, 'hits'>>;
export type EventSketch = [atMs: number, type: EventType, id: string, more?: Partial<ProxyEvent>];

/** What differs from a run of 20 s in which nothing happened. */
export type Sketch = {
  plan?: Partial<Plan>;
  faults?: FaultSketch[];
  events?: EventSketch[];
  /** Changes a request, or leaves it out with null. */
  traffic?: (row: RequestRow, index: number) => RequestRow | null;
  /** Changes a table sample, or leaves it out with null. */
  table?: (sample: TableSample) => TableSample | null;
  /** Changes everything else. */
  with?: Partial<Recording>;
};

/** Two policies with two servers each: `a1` and `a2` serve policy 1, `b1` and `b2` policy 2. */
const SERVERS = [
  { id: 'a1', policy: '1', name: 'server-p1-1' },
  { id: 'a2', policy: '1', name: 'server-p1-2' },
  { id: 'b1', policy: '2', name: 'server-p2-1' },
  { id: 'b2', policy: '2', name: 'server-p2-2' },
] as const;

/** Warm-up to 1 s, control to 5 s, faults to 14 s, quiet to 18 s, after to 20 s. */
const PHASES: [PhaseName, number, number][] = [
  ['warm-up', 0, 1000],
  ['control', 1000, 5000],
  ['faults', 5000, 14_000],
  ['quiet', 14_000, 18_000],
  ['after', 18_000, 20_000],
];
const END_MS = 20_000;
const EVERY_MS = 10;
const SAMPLE_EVERY_MS = 250;
const MACHINE_EVERY_MS = 50;
const LATENCY_MS = 2;

const STATE_AFTER: Partial<Record<EventType, string>> = {
  registered: 'joining',
  admitted: 'ready',
  suspect: 'suspect',
  evicted: 'evicted',
  ejected: 'ejected',
  trial: 'trial',
  leaving: 'leaving',
};

/** A request every 10 ms, policies in turn; servers in turn as the events say; a table sample every 250 ms. */
export function recordingOf(sketch: Sketch = {}): Recording {
  const { requests, events, tables } = play(eventsOfSketch(sketch.events ?? []));
  const faults = (sketch.faults ?? []).map(toFault);
  return {
    plan: planOf(faults, sketch.plan),
    startedAt: '2026-11-24T12:00:00.000Z',
    endedMs: END_MS,
    phases: PHASES.map(([name, fromMs, toMs]) => ({ name, fromMs, toMs })),
    faults,
    events,
    tables: tables.flatMap((sample) => (sketch.table ?? ((same) => same))(sample) ?? []),
    requests: requests.flatMap((row, index) => (sketch.traffic ?? ((same) => same))(row, index) ?? []),
    machine: calm(),
    listens: [0],
    names: Object.fromEntries(SERVERS.map(({ id, name }) => [id, name])),
    leftovers: [],
    cutShort: null,
    startLagP99Ms: 0.5,
    strayAnswers: 0,
    ...sketch.with,
  };
}

/** A recording of nothing at all, as of a run that ended at once. */
export function emptyRecording(): Recording {
  const nothing = { phases: [], events: [], tables: [], requests: [], names: {}, endedMs: 0 };
  return recordingOf({ with: nothing });
}

/** A machine that keeps nobody waiting. */
function calm(): MachineSample[] {
  return Array.from({ length: END_MS / MACHINE_EVERY_MS }, (_, index) => {
    return { atMs: (index + 1) * MACHINE_EVERY_MS, loadLagMs: 0, waitMs: {}, conntrack: 100 };
  });
}

/** The machine of a quiet run, but for what `who` waits in [fromMs, toMs): this share of the time. */
export function busy([fromMs, toMs]: [number, number], share: number, who: string): MachineSample[] {
  return calm().map((sample) => {
    const isBusy = sample.atMs > fromMs && sample.atMs <= toMs;
    return isBusy ? { ...sample, waitMs: { [who]: share * MACHINE_EVERY_MS } } : sample;
  });
}

function eventsOfSketch(sketches: readonly EventSketch[]): ProxyEvent[] {
  const registered = SERVERS.flatMap(({ id }): EventSketch[] => [
    [-500, 'registered', id],
    [-400, 'admitted', id],
  ]);
  const seqs = new Map<number, number>();
  return [...registered, ...sketches].map(([atMs, type, id, more]) => {
    const boot = more?.boot ?? 0;
    const seq = (seqs.get(boot) ?? 0) + 1;
    seqs.set(boot, seq);
    const { policy = '1' } = SERVERS.find((server) => server.id === id) ?? {};
    // Counted while playing, unless the test says otherwise.
    const sent = Number.NaN;
    return { atMs, boot, seq, type, policy, id, address: `${id}:7000`, why: 'so it was', sent, ...more };
  });
}

type Played = Pick<Recording, 'requests' | 'events' | 'tables'>;
type Entry = { policy: string; state: string; sent: number };

/** Lets time pass: events change the table, requests go to whoever is in rotation, samples look at it. */
function play(events: ProxyEvent[]): Played {
  const played: Played = { requests: [], events, tables: [] };
  const table = new Map<string, Entry>();
  const turns = new Map<string, number>();
  let boot = 0;
  const apply = (event: ProxyEvent): void => {
    if (event.boot !== boot) table.clear();
    boot = event.boot;
    const { id, policy, type } = event;
    if (type === 'registered') table.set(id, { policy, state: '', sent: 0 });
    const entry = table.get(id) ?? { policy, state: '', sent: 0 };
    if (Number.isNaN(event.sent)) event.sent = entry.sent;
    else entry.sent = event.sent;
    entry.state = STATE_AFTER[type] ?? 'gone';
    if (entry.state === 'gone') table.delete(id);
    else table.set(id, entry);
  };
  const pending = events.toSorted((a, b) => a.atMs - b.atMs);
  for (let dueMs = 0; dueMs <= END_MS; dueMs += EVERY_MS) {
    while (pending[0] !== undefined && pending[0].atMs <= dueMs) apply(pending.shift() as ProxyEvent);
    if (dueMs % SAMPLE_EVERY_MS === 0) played.tables.push(sampleOf(table, dueMs, boot));
    if (dueMs === END_MS) continue;
    const policy = (dueMs / EVERY_MS) % 2 === 0 ? '1' : '2';
    const ready = [...table].filter(([, entry]) => entry.policy === policy && isServing(entry));
    const turn = (turns.get(policy) ?? -1) + 1;
    turns.set(policy, turn);
    const [id, entry] = ready[turn % ready.length] ?? [];
    if (entry !== undefined) entry.sent += 1;
    played.requests.push(
      id === undefined ? row(dueMs, policy, 'error', 'NO_SERVER', 500) : row(dueMs, policy, 'ok', id),
    );
  }
  return played;
}

function isServing({ state }: Entry): boolean {
  return state === 'ready' || state === 'trial';
}

function sampleOf(table: ReadonlyMap<string, Entry>, atMs: number, boot: number): TableSample {
  const servers = [...table].map(([id, entry]) => ({ id, ...entry, served: entry.sent, failed: 0 }));
  return { atMs, boot, servers };
}

function row(
  dueMs: number,
  policy: string,
  outcome: Outcome,
  detail: string,
  latencyMs = LATENCY_MS,
): RequestRow {
  return { dueMs, latencyMs, policy, outcome, detail, attempts: 1, first: null };
}

function toFault({ kind, hits: sketches, ...more }: FaultSketch, index: number): FaultRecord {
  const hits = sketches.map(toHit);
  const fromMs = Math.min(...hits.map((hit) => hit.fromMs));
  const isHealed = hits.every(({ healedMs }) => healedMs !== null);
  return {
    id: index + 1,
    kind,
    targets: hits.map(({ target }) => target),
    params: {},
    injectMs: fromMs,
    injectedMs: fromMs + 10,
    healMs: isHealed ? Math.max(...hits.map(({ healMs }) => healMs ?? 0)) : null,
    healedMs: isHealed ? Math.max(...hits.map(({ healedMs }) => healedMs ?? 0)) : null,
    hits,
    isProven: true,
    proof: 'seen',
    conntrack: 100,
    ...more,
  };
}

function toHit([on, fromMs, healMs, healedMs]: HitSketch): Hit {
  const server = SERVERS.find(({ id }) => id === on);
  return {
    target: server?.name ?? 'proxy-1',
    serverId: server?.id ?? null,
    policy: server?.policy ?? null,
    fromMs,
    struckMs: fromMs,
    healMs,
    healedMs: healedMs === undefined ? healMs : healedMs,
  };
}

function planOf(faults: readonly FaultRecord[], changes: Partial<Plan> = {}): Plan {
  return {
    version: 1,
    scenario: faults.length === 0 ? 'control' : 'test',
    seed: 1,
    rate: 100,
    policies: ['1', '2'],
    services: { 'server-p1': '1', 'server-p2': '2', 'server-p3': '3' },
    serversPerPolicy: 2,
    retryForMs: 0,
    settings: {},
    phases: { warmUpMs: 1000, controlMs: 4000, faultsMs: 9000, quietMs: 4000, afterMs: 2000 },
    faults: faults.map(({ id, kind, targets, injectMs, params }) => {
      return { id, kind, targets, atMs: injectMs, forMs: 0, params };
    }),
    ...changes,
  };
}

/** A name, what was recorded, the verdict, and what `measured` or the details then say. */
export type Case = [name: string, sketch: Sketch | Recording, verdict: Verdict, says?: RegExp];

/** One test for each line of a criterion's table. */
export function testCases(criterion: Criterion, cases: readonly Case[]): void {
  for (const [name, sketch, verdict, says] of cases) {
    test(`${criterion.name}: ${name}`, () => {
      const recording = 'requests' in sketch ? sketch : recordingOf(sketch);
      const [finding] = judge(recording, [criterion]).findings;
      assert.ok(finding);
      assert.equal(finding.verdict, verdict, JSON.stringify(finding, null, 2));
      if (says !== undefined) assert.match([finding.measured, ...finding.details].join('\n'), says);
      assert.ok(finding.details.length <= 10);
    });
  }
}

/** Changes the requests due in [fromMs, toMs) of one policy, and no others. */
export function during(
  [fromMs, toMs]: [number, number],
  policy: string | null,
  changes: Partial<RequestRow>,
): (row: RequestRow) => RequestRow {
  return (request) =>
    request.dueMs >= fromMs && request.dueMs < toMs && (policy === null || request.policy === policy)
      ? { ...request, ...changes }
      : request;
}
