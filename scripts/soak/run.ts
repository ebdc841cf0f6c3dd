// shell · one soak: warm up, rest, load with churn, rest again; an interruption keeps what was seen.
import { setTimeout as sleep } from 'node:timers/promises';
import { residentBytes } from '../kit/process-cost.ts';
import type { Progress } from '../kit/steps.ts';
import { clock } from '../kit/words.ts';
import { describeOutcomes, noOutcomes, type RequestRecord } from '../load/exchange.ts';
import { startLoad } from '../load/load-thread.ts';
import { pauseOr, runChurn } from './churn.ts';
import { describeAction, makePlan, POLICIES } from './plan.ts';
import { readHandles, type Stage, startStage } from './stage.ts';
import { type Handles, type Rest, type Sample, type Soak, totalOf } from './verdict.ts';

// Long enough for a request to every server, so that the proxy's connections to them are open.
const CALM_MS = 2_000;
const SAMPLE_EVERY_MS = 1_000;
const REPORT_EVERY_MS = 30_000;
const MAX_FAULTS = 20;
// A probe that is under way is no leak: of many readings the least counts.
const READINGS = 20;
const READ_EVERY_MS = 100;
// Servers without a session that were found dead are forgotten by then, and the last connections have been closed.
const REST_WITHIN_MS = 30_000;

type Wanted = { minutes: number; rate: number; seed: number };

/**
 * Runs a soak.
 * @throws Failure when it could not begin; the signal's reason when it was interrupted by then
 */
export async function runSoak(wanted: Wanted, progress: Progress, signal: AbortSignal): Promise<Soak> {
  const soak: Soak = {
    version: 1,
    startedAt: new Date().toISOString(),
    seed: wanted.seed,
    rate: wanted.rate,
    plannedMs: wanted.minutes * 60_000,
    churnMs: 0,
    endedMs: 0,
    samples: [],
    actions: [],
    counts: noOutcomes(),
    faults: [],
    strayAnswers: 0,
    before: null,
    after: null,
    proxyEnded: null,
    problems: [],
    cutShort: null,
  };
  progress.phase('starting a proxy and its servers');
  const stage = await startStage(soak.problems, signal);
  // The run ends early on an interruption, and when there is no proxy any more.
  const ending = new AbortController();
  const until = AbortSignal.any([signal, ending.signal]);
  let isOver = false;
  void stage.proxy.ended.then((how) => {
    if (isOver) return;
    soak.proxyEnded = `it ended: ${how}. ${stage.proxy.tail()}`.trim();
    ending.abort();
  });
  try {
    await new SoakRun(soak, stage, progress).carryOut(until);
  } catch (error) {
    if (soak.before === null && soak.proxyEnded === null) throw error;
    if (!until.aborted) soak.problems.push((error as Error).message);
  } finally {
    isOver = true;
    await stage.end();
  }
  soak.problems = [...new Set(soak.problems)];
  if (signal.aborted) soak.cutShort = 'interrupted';
  return soak;
}

class SoakRun {
  readonly #soak: Soak;
  readonly #stage: Stage;
  readonly #progress: Progress;
  /** Since the last sample. */
  #recent = noOutcomes();
  /** When the churn has begun. */
  #originMs = performance.now();

  constructor(soak: Soak, stage: Stage, progress: Progress) {
    this.#soak = soak;
    this.#stage = stage;
    this.#progress = progress;
  }

  async carryOut(signal: AbortSignal): Promise<void> {
    await this.#stage.whole(signal);
    this.#progress.phase('warming up');
    await this.#underLoad(signal, (until) => pauseOr(CALM_MS, until));
    this.#soak.before = await this.#takeRest(null, signal);
    await this.#underLoad(signal, (until) => this.#churn(until));
    this.#progress.phase('waiting until it rests');
    this.#soak.after = await this.#takeRest(this.#soak.before, signal);
  }

  /** The load ends before the proxy does, or its end would cost requests. */
  async #underLoad(signal: AbortSignal, work: (until: AbortSignal) => Promise<void>): Promise<void> {
    const where = ['--proxy', `127.0.0.1:${this.#stage.proxy.port}`, '--policies', POLICIES.join(',')];
    // The longest duration that it takes; it is stopped earlier.
    const pace = ['--rate', String(this.#soak.rate), '--duration', '86400'];
    const load = startLoad([...where, ...pace], (request) => this.#onRequest(request));
    const broken = new AbortController();
    load.failed.catch((error: Error) => broken.abort(error));
    try {
      await load.started;
      await work(AbortSignal.any([signal, broken.signal]));
      broken.signal.throwIfAborted();
    } finally {
      await load.stop().then(
        ({ strayAnswers }) => {
          this.#soak.strayAnswers += strayAnswers;
        },
        (error: Error) => this.#soak.problems.push(error.message),
      );
    }
    signal.throwIfAborted();
  }

  #elapsedMs(): number {
    return performance.now() - this.#originMs;
  }

  #onRequest({ outcome, detail, policy, latencyMs, dueEpochMs }: RequestRecord): void {
    // The load was told to end.
    if (outcome === 'dropped' && detail === 'interrupted') return;
    const { counts, faults } = this.#soak;
    counts[outcome] += 1;
    this.#recent[outcome] += 1;
    if (outcome === 'ok' || outcome === 'dropped' || faults.length >= MAX_FAULTS) return;
    const atS = (dueEpochMs - performance.timeOrigin - this.#originMs) / 1000;
    faults.push(
      `${atS.toFixed(2)} s: policy ${policy}, ${outcome} (${detail}) after ${Math.round(latencyMs)} ms`,
    );
  }

  async #churn(signal: AbortSignal): Promise<void> {
    const { seed, plannedMs } = this.#soak;
    const sampling = new AbortController();
    this.#originMs = performance.now();
    this.#recent = noOutcomes();
    const sampled = this.#keepSampling(sampling.signal);
    try {
      await runChurn(makePlan(seed, plannedMs), plannedMs, this.#stage, this.#soak, signal);
      this.#soak.churnMs = this.#elapsedMs();
      if (signal.aborted) return;
      this.#progress.phase('calming down');
      // A server that is missing after that is missing at rest too, and judged there.
      await this.#stage.whole(signal).catch(() => {});
      await pauseOr(CALM_MS, signal);
    } finally {
      sampling.abort();
      await sampled;
      this.#soak.endedMs = this.#elapsedMs();
    }
  }

  async #keepSampling(signal: AbortSignal): Promise<void> {
    let nextReportMs = 0;
    while (!signal.aborted) {
      const startedMs = performance.now();
      const sample = await this.#sample();
      // A process that has ended holds no memory, and that is no measurement.
      if (sample.residentBytes > 0) {
        this.#soak.samples.push(sample);
        const isDue = sample.atMs >= nextReportMs;
        this.#progress[isDue ? 'phase' : 'line'](this.#describe(sample));
        if (isDue) nextReportMs += REPORT_EVERY_MS;
      }
      await pauseOr(startedMs + SAMPLE_EVERY_MS - performance.now(), signal);
    }
  }

  async #sample(): Promise<Sample> {
    const { pid } = this.#stage.proxy;
    // The files first: asking for the status opens one.
    const own = {
      atMs: this.#elapsedMs(),
      handles: readHandles(pid),
      residentBytes: residentBytes([pid]),
      counts: this.#recent,
    };
    this.#recent = noOutcomes();
    const status = await this.#stage.status().catch(() => null);
    return {
      ...own,
      connections: status?.connections ?? null,
      servers: status?.servers.length ?? null,
      ready: status?.servers.filter(({ state }) => state === 'ready').length ?? null,
    };
  }

  /** `3:20 of 10:00 · 99,870 ok, 0 wrong, 0 errors, 0 lost · 92.1 MB · 61 files · 6 of 7 in rotation · kill server 3`. */
  #describe({ atMs, residentBytes: bytes, handles, ready, servers }: Sample): string {
    const { counts, actions, plannedMs } = this.#soak;
    const latest = actions.at(-1);
    const proxy = `${(bytes / 1e6).toFixed(1)} MB · ${totalOf(handles)} files · ${ready ?? '?'} of ${servers ?? '?'} in rotation`;
    const doing = latest === undefined ? '' : ` · ${describeAction(latest.action)}`;
    return `${clock(atMs)} of ${clock(plannedMs)} · ${describeOutcomes(counts)} · ${proxy}${doing}`;
  }

  /**
   * Looks until it is as it was `before`, or until two looks in a row are the same when there is no before.
   * @returns the last look, at the deadline too: the verdict says what that means
   */
  async #takeRest(before: Rest | null, signal: AbortSignal): Promise<Rest> {
    const untilMs = performance.now() + REST_WITHIN_MS;
    for (let wanted = before; ; ) {
      const rest = await this.#look(signal);
      if (performance.now() > untilMs || (wanted !== null && keyOf(rest) === keyOf(wanted))) return rest;
      wanted = before ?? rest;
    }
  }

  async #look(signal: AbortSignal): Promise<Rest> {
    const { proxy } = this.#stage;
    let least: Handles = readHandles(proxy.pid);
    for (let n = 1; n < READINGS; n += 1) {
      await sleep(READ_EVERY_MS, undefined, { signal });
      const now = readHandles(proxy.pid);
      if (totalOf(now) < totalOf(least)) least = now;
    }
    const { servers, connections } = await this.#stage.status();
    const names = servers.map(
      ({ id, policy, state }) => `${policy}/${id}${state === 'ready' ? '' : ` (${state})`}`,
    );
    return { handles: least, connections, servers: names.sort() };
  }
}

function keyOf({ handles, connections, servers }: Rest): string {
  return [totalOf(handles), connections, ...servers].join();
}
