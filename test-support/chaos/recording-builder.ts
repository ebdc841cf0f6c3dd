// test support · a recording of a run in which everything went well, and what a test changes in it.
// Must never judge: tests say what they expect in figures.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  FaultRecord,
  Hit,
  MachineSample,
  PhaseName,
  Recording,
  RequestRow,
} from '../../scripts/chaos/journal.ts';
import { type Criterion, judge } from '../../scripts/chaos/judge/judge.ts';
import type { FaultKind, Plan } from '../../scripts/chaos/plan.ts';
import type { ProxyEvent, TableSample } from '../../scripts/kit/proxy-events.ts';
import type { Verdict } from '../../scripts/kit/verdict.ts';
import type { Outcome } from '../../scripts/load/exchange.ts';
import type { EventType } from '../../services/proxy/status/events.ts';

/** One hit: on which server (`proxy` or `proxy-2` for a proxy), from, heal and healed; `null` where it never was. */
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
  size?: Size;
};

/** How long each phase lasts, in ms, how many policies there are, with two servers each, and requests a second. */
type Size = { phases: readonly [PhaseName, number][]; policies: number; rate: number };

/** Warm-up to 1 s, control to 5 s, faults to 14 s, quiet to 18 s, after to 20 s. */
const USUAL_SIZE: Size = {
  phases: [
    ['warm-up', 1000],
    ['control', 4000],
    ['faults', 9000],
    ['quiet', 4000],
    ['after', 2000],
  ],
  policies: 2,
  rate: 100,
};
const END_MS = 20_000;

/** Of which policy a server is, by its id: `a1` and `a2` serve policy 1, `b1` and `b2` policy 2, and so on. */
const SERVERS = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2'].map((id, at) => {
  const policy = String(Math.floor(at / 2) + 1);
  return { id, policy, name: `server-p${policy}-${id[1]}` };
});

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

/** Requests evenly spaced, policies in turn; servers in turn as the events say; a table sample every 250 ms. */
export function recordingOf(sketch: Sketch = {}): Recording {
  const { size = USUAL_SIZE } = sketch;
  const servers = SERVERS.slice(0, 2 * size.policies);
  const phases = phasesOf(size);
  const endedMs = phases.at(-1)?.toMs ?? 0;
  const { requests, events, tables } = play(eventsOfSketch(servers, sketch.events ?? []), size, endedMs);
  const faults = (sketch.faults ?? []).map(toFault);
  return {
    plan: planOf(size, faults, sketch.plan),
    startedAt: '2026-11-24T12:00:00.000Z',
    endedMs,
    phases,
    faults,
    proxy: 'proxy-1',
    others: [],
    events,
    tables: tables.flatMap((sample) => (sketch.table ?? ((same) => same))(sample) ?? []),
    requests: requests.flatMap((row, index) => (sketch.traffic ?? ((same) => same))(row, index) ?? []),
    machine: calm(),
    listens: [0],
    closes: [],
    names: Object.fromEntries(servers.map(({ id, name }) => [id, name])),
    leftovers: [],
    cutShort: null,
    startLagP99Ms: 0.5,
    strayAnswers: 0,
    ...sketch.with,
  };
}

function phasesOf({ phases }: Size): Recording['phases'] {
  let toMs = 0;
  return phases.map(([name, lengthMs]) => {
    const fromMs = toMs;
    toMs += lengthMs;
    return { name, fromMs, toMs };
  });
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

function eventsOfSketch(servers: typeof SERVERS, sketches: readonly EventSketch[]): ProxyEvent[] {
  const registered = servers.flatMap(({ id }): EventSketch[] => [
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
    const because = { cause: 'probe-timeout', why: 'so it was', evidence: { probesInARow: 2 } } as const;
    return { atMs, boot, seq, type, policy, id, address: `${id}:7000`, ...because, sent, ...more };
  });
}

type Played = Pick<Recording, 'requests' | 'events' | 'tables'>;
type Entry = { policy: string; state: string; sent: number };

/** Lets time pass: events change the table, requests go to whoever is in rotation, samples look at it. */
function play(events: ProxyEvent[], { policies, rate }: Size, endedMs: number): Played {
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
  let nextSampleMs = 0;
  for (let index = 0; (index * 1000) / rate <= endedMs; index += 1) {
    const dueMs = (index * 1000) / rate;
    while (pending[0] !== undefined && pending[0].atMs <= dueMs) apply(pending.shift() as ProxyEvent);
    for (; nextSampleMs <= dueMs; nextSampleMs += SAMPLE_EVERY_MS)
      played.tables.push(sampleOf(table, nextSampleMs, boot));
    if (dueMs === endedMs) continue;
    const policy = String((index % policies) + 1);
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
  return { atMs, boot, isReady: true, servers };
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
    target: server?.name ?? on.replace(/^proxy$/, 'proxy-1'),
    serverId: server?.id ?? null,
    policy: server?.policy ?? null,
    fromMs,
    struckMs: fromMs,
    healMs,
    healedMs: healedMs === undefined ? healMs : healedMs,
  };
}

function planOf(size: Size, faults: readonly FaultRecord[], changes: Partial<Plan> = {}): Plan {
  const [warmUpMs, controlMs, faultsMs, quietMs, afterMs] = size.phases.map(([, lengthMs]) => lengthMs);
  return {
    version: 1,
    scenario: faults.length === 0 ? 'control' : 'test',
    seed: 1,
    rate: size.rate,
    policies: ['1', '2', '3'].slice(0, size.policies),
    services: { 'server-p1': '1', 'server-p2': '2', 'server-p3': '3' },
    serversPerPolicy: 2,
    proxies: 1,
    retryForMs: 0,
    settings: {},
    phases: { warmUpMs, controlMs, faultsMs, quietMs, afterMs } as Plan['phases'],
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
