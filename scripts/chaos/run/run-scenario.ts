// shell · one run: load from the first moment to the last, faults in the middle, and a recording of all of it.
// Must never inject anything unless the steady state held before, or end without having healed everything.
import { setTimeout as sleep } from 'node:timers/promises';
import { epochMs } from '../../kit/epoch.ts';
import { percentile } from '../../kit/percentile.ts';
import type { Progress } from '../../kit/progress.ts';
import { type ProxyWatch, watchProxy } from '../../kit/proxy-events.ts';
import type { Step } from '../../kit/steps.ts';
import { type LoadEnd, type LoadProcess, startLoad } from '../../load/load-process.ts';
import type { ChaosCluster } from '../docker.ts';
import { INTERRUPTED, type PhaseName, type Recording } from '../journal.ts';
import type { Plan, PlannedFault } from '../plan.ts';
import { injectFaults } from './injector.ts';
import { type MachineWatch, watchMachine } from './machine-watch.ts';
import { Recorder } from './recorder.ts';
import { describeNow } from './status-line.ts';

const SAMPLE_EVERY_MS = 250;
const STATUS_EVERY_MS = 250;
/** The load goes on for so long at most when the faults take longer than planned. */
const SPARE_SECONDS = 120;
const MAX_CONTROL_FAULTS_SHARE = 0.001;

export type RunSetting = {
  plan: Plan;
  cluster: ChaosCluster;
  adminUrl: string;
  /** host:port of the proxy's well-known port. */
  proxy: string;
  /** Writes a fault into the undo file. */
  remember: (fault: PlannedFault) => void;
  /** Mends everything; returns what could not be mended, a sentence each. */
  heal: () => Promise<string[]>;
  show: (signal: AbortSignal, steps: readonly Step[]) => Promise<void>;
};

/**
 * Carries out a plan on a cluster that is whole.
 * @param signal ends it early: what is broken is healed, and the recording says that it was cut short
 */
export async function runPlan(setting: RunSetting, signal: AbortSignal): Promise<Recording> {
  const run = new Run(setting, signal);
  return await run.toItsEnd();
}

class Run {
  readonly #setting: RunSetting;
  readonly #signal: AbortSignal;
  readonly #recorder: Recorder;
  readonly #watch: ProxyWatch;
  readonly #machine: MachineWatch;
  readonly #load: LoadProcess;
  readonly #timers: NodeJS.Timeout[] = [];
  // Ends with the run, whatever ended that: no fault may begin once healing has.
  readonly #ending = new AbortController();
  // For every wait of a part: one that goes on would keep the process from ending.
  readonly #over: AbortSignal;
  #injections: Promise<void> = Promise.resolve();
  #cutShort: string | null = null;
  #show: (line: string) => void = () => {};

  constructor(setting: RunSetting, signal: AbortSignal) {
    this.#setting = setting;
    this.#signal = signal;
    this.#over = AbortSignal.any([signal, this.#ending.signal]);
    this.#recorder = new Recorder(setting.plan, epochMs);
    this.#watch = watchProxy(
      setting.adminUrl,
      (event) => this.#recorder.event(event),
      (atMs) => this.#recorder.listens(atMs),
    );
    this.#machine = watchMachine(setting.cluster, (sample) => this.#recorder.machine(sample));
    this.#load = startLoad(
      loadArguments(setting),
      (request) => this.#recorder.request(request),
      (ms) => this.#machine.loadLag(ms),
    );
  }

  async toItsEnd(): Promise<Recording> {
    let end: LoadEnd | null = null;
    let leftovers: string[] = [];
    try {
      await this.#setting.show(this.#signal, this.#steps());
    } catch (error) {
      this.#cutShort ??= this.#signal.aborted ? INTERRUPTED : (error as Error).message;
    } finally {
      this.#ending.abort();
      await this.#injections;
      for (const timer of this.#timers) clearInterval(timer);
      end = await this.#load.stop().catch(() => null);
      if (end === null) this.#cutShort ??= 'the load generator did not end in good order';
      leftovers = await this.#setting
        .heal()
        .catch((error: unknown) => [`Healing failed: ${(error as Error).message}`]);
      this.#machine.stop();
      this.#watch.close();
    }
    return this.#recorder.finish(end, leftovers, this.#cutShort);
  }

  #steps(): Step[] {
    const { faults, phases } = this.#setting.plan;
    return [
      { title: 'Steady state', run: (progress) => this.#inStep(progress, () => this.#control()) },
      {
        title: faults.length === 0 ? 'No fault' : `${faults.length} faults in ${phases.faultsMs / 1000} s`,
        run: (progress) => this.#inStep(progress, () => this.#faults(progress)),
      },
      { title: 'Steady state again', run: (progress) => this.#inStep(progress, () => this.#quietAndAfter()) },
    ];
  }

  // A part that was cut short is followed by parts that do nothing, so that the report is still made.
  async #inStep(
    progress: Progress,
    work: () => Promise<string>,
  ): Promise<{ isSkipped: boolean; summary: string }> {
    if (this.#cutShort !== null) return { isSkipped: true, summary: 'left out' };
    this.#show = progress.line;
    return { isSkipped: false, summary: await Promise.race([work(), this.#load.failed]) };
  }

  async #control(): Promise<string> {
    const { plan, cluster } = this.#setting;
    const { warmUpMs, controlMs } = plan.phases;
    this.#recorder.start(await this.#load.started);
    this.#recorder.nameReplicas(await cluster.replicas());
    this.#timers.push(
      setInterval(() => void this.#sample(), SAMPLE_EVERY_MS),
      setInterval(() => this.#show(describeNow(this.#recorder, plan)), STATUS_EVERY_MS),
    );
    await this.#until('warm-up', 0, warmUpMs);
    await this.#until('control', warmUpMs, warmUpMs + controlMs);
    await this.#sample();
    const requests = this.#recorder.requestsDue(warmUpMs, warmUpMs + controlMs);
    const bad = requests.filter(({ outcome }) => outcome !== 'ok');
    if (bad.length > requests.length * MAX_CONTROL_FAULTS_SHARE || requests.length === 0) {
      this.#cutShort = `the steady state did not hold before the first fault: ${bad.length} of ${requests.length} requests were not answered right`;
      return this.#cutShort;
    }
    const latencies = requests.map(({ latencyMs }) => latencyMs);
    return `${requests.length} requests, p50 ${percentile(latencies, 50).toFixed(1)} ms, p99 ${percentile(latencies, 99).toFixed(1)} ms`;
  }

  async #faults(progress: Progress): Promise<string> {
    const { plan, cluster, remember } = this.#setting;
    const fromMs = plan.phases.warmUpMs + plan.phases.controlMs;
    const tell = (text: string): void => {
      progress.phase(`${(this.#recorder.elapsedMs() / 1000).toFixed(1)} s: ${text}`);
    };
    this.#injections = injectFaults(plan.faults, {
      cluster,
      recorder: this.#recorder,
      remember,
      tell,
      signal: this.#over,
    });
    await this.#injections;
    this.#over.throwIfAborted();
    this.#recorder.nameReplicas(await cluster.replicas());
    const lastHealMs = this.#recorder.elapsedMs();
    await this.#until('faults', fromMs, Math.max(fromMs + plan.phases.faultsMs, lastHealMs));
    const { ok, wrong, error, lost } = this.#recorder.counts;
    return `ok ${ok}, wrong ${wrong}, errors ${error}, lost ${lost}`;
  }

  async #quietAndAfter(): Promise<string> {
    const { quietMs, afterMs } = this.#setting.plan.phases;
    const fromMs = this.#recorder.elapsedMs();
    await this.#until('quiet', fromMs, fromMs + quietMs);
    await this.#sample();
    const afterFromMs = this.#recorder.elapsedMs();
    await this.#until('after', afterFromMs - 1, afterFromMs + afterMs);
    await this.#sample();
    const table = this.#recorder.lastTable?.servers ?? [];
    return `${table.filter(({ state }) => state === 'ready').length} servers in rotation`;
  }

  async #until(phase: PhaseName, fromMs: number, toMs: number): Promise<void> {
    const leftMs = toMs - this.#recorder.elapsedMs();
    if (leftMs > 0) await sleep(leftMs, undefined, { signal: this.#over });
    this.#recorder.phase(phase, fromMs, Math.max(toMs, this.#recorder.elapsedMs()));
  }

  async #sample(): Promise<void> {
    this.#recorder.table(await this.#watch.sample());
  }
}

function loadArguments({ plan, proxy }: RunSetting): string[] {
  const { warmUpMs, controlMs, faultsMs, quietMs, afterMs } = plan.phases;
  const seconds = (warmUpMs + controlMs + faultsMs + quietMs + afterMs) / 1000 + SPARE_SECONDS;
  const retry = plan.retryForMs > 0 ? ['--retry-for', String(plan.retryForMs)] : [];
  return [
    ...['--proxy', proxy, '--rate', String(plan.rate), '--duration', String(Math.ceil(seconds))],
    ...['--policies', plan.policies.join(','), '--timeout', '3000', '--attempt-timeout', '3000', ...retry],
  ];
}
