// shell · one run: load from the first moment to the last, faults in the middle, and a recording of all of it.
import { setTimeout as sleep } from 'node:timers/promises';
import { debuglog } from 'node:util';
import type { PublishedProxy } from '../../cluster/containers.ts';
import type { DockerCluster, Replica } from '../../cluster/docker.ts';
import type { FaultReport } from '../../cluster/operator.ts';
import { percentile } from '../../kit/percentile.ts';
import { type ProxyWatch, watchProxy } from '../../kit/proxy-events.ts';
import type { Outcome, Progress, Step } from '../../kit/steps.ts';
import { epochMs } from '../../kit/time.ts';
import { plural } from '../../kit/words.ts';
import { describeOutcomes } from '../../load/exchange.ts';
import { type LoadEnd, type RunningLoad, startLoad } from '../../load/load-thread.ts';
import type { ShowSteps } from '../cluster.ts';
import { FAULT_FACTS } from '../faults/facts.ts';
import type { ArmedFault, HitNote, Proof } from '../faults/fault.ts';
import { FAULTS } from '../faults/index.ts';
import { INTERRUPTED, type PhaseName, type Recording } from '../journal.ts';
import { lengthOf, type Plan, type PlannedFault } from '../plan.ts';
import { describeNow, describeRotation } from '../words.ts';
import { type MachineWatch, readConntrack, watchMachine } from './machine-watch.ts';
import { Recorder } from './recorder.ts';

const debug = debuglog('policy-proxy');
const SAMPLE_EVERY_MS = 250;
/** The load goes on for so long at most when the faults take longer than planned. */
const SPARE_SECONDS = 120;
const REPLY_WITHIN_MS = '3000';
const MAX_CONTROL_FAULTS_SHARE = 0.001;

export type RunSetting = {
  plan: Plan;
  cluster: DockerCluster;
  proxies: readonly Pick<PublishedProxy, 'name' | 'adminUrl'>[];
  /** host:port of each proxy's well-known port, with commas. */
  target: string;
  /** Writes a fault into the undo file. */
  remember: (fault: PlannedFault) => void;
  /** Mends everything; returns what could not be mended, a sentence each. */
  heal: () => Promise<string[]>;
  /** Lets the live page know of a fault; the run goes on when that fails. */
  report: (fault: FaultReport) => Promise<void>;
  show: ShowSteps;
};

/**
 * Runs a plan on a cluster that is whole.
 * @param signal ends it early: what is broken is healed, and the recording says that it was cut short
 */
export async function recordRun(setting: RunSetting, signal: AbortSignal): Promise<Recording> {
  const run = new Run(setting, signal);
  return await run.toItsEnd();
}

class Run {
  readonly #setting: RunSetting;
  readonly #signal: AbortSignal;
  readonly #recorder: Recorder;
  readonly #watches: readonly ProxyWatch[];
  readonly #machine: MachineWatch;
  readonly #load: RunningLoad;
  readonly #timers: NodeJS.Timeout[] = [];
  // Ends with the run, whatever ended that: no fault may begin once healing has.
  readonly #ending = new AbortController();
  // For every wait of a part: one that goes on would keep the process from ending.
  readonly #over: AbortSignal;
  /** The faults whose beginning was reported, and not their end. */
  readonly #reported = new Map<PlannedFault, Promise<void>>();
  readonly #ends: Promise<void>[] = [];
  readonly #beganMs = Math.trunc(epochMs());
  #injections: Promise<unknown> = Promise.resolve();
  #cutShort: string | null = null;
  #progress: Progress | null = null;

  constructor(setting: RunSetting, signal: AbortSignal) {
    this.#setting = setting;
    this.#signal = signal;
    this.#over = AbortSignal.any([signal, this.#ending.signal]);
    const names = setting.proxies.map(({ name }) => name);
    const recorder = new Recorder(setting.plan, epochMs, names);
    this.#recorder = recorder;
    this.#watches = recorder.views.map(({ events, listens, closes }, index) =>
      watchProxy(setting.proxies[index]?.adminUrl ?? '', {
        event: (event) => events.push(event),
        listens: (atMs) => listens.push(atMs),
        closes: (atMs) => closes.push(atMs),
      }),
    );
    this.#machine = watchMachine(setting.cluster, (sample) => recorder.machine.push(sample));
    this.#load = startLoad(
      loadArguments(setting),
      (request) => recorder.request(request),
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
      if (end === null) this.#cutShort ??= 'the load generator did not end cleanly';
      leftovers = await this.#setting
        .heal()
        .catch((error: unknown) => [`Healing failed: ${(error as Error).message}`]);
      for (const fault of this.#reported.keys()) this.#reportEnd(fault);
      await Promise.all(this.#ends);
      this.#machine.stop();
      for (const watch of this.#watches) watch.close();
    }
    return this.#recorder.finish(end, leftovers, this.#cutShort);
  }

  #steps(): Step[] {
    const { faults, phases } = this.#setting.plan;
    const during =
      faults.length === 0 ? 'No fault' : `${plural(faults.length, 'fault')} in ${phases.faultsMs / 1000} s`;
    return [
      this.#step('Steady state', () => this.#control()),
      this.#step(during, () => this.#faults()),
      this.#step('Steady state again', () => this.#quietAndAfter()),
    ];
  }

  // A part that was cut short is followed by parts that do nothing, so that the report is still made.
  #step(title: string, work: () => Promise<string>): Step {
    const run = async (progress: Progress): Promise<Outcome> => {
      if (this.#cutShort !== null) return { skipped: 'left out' };
      this.#progress = progress;
      return await Promise.race([work(), this.#load.failed]);
    };
    return { title, run };
  }

  async #control(): Promise<string> {
    const { plan, cluster } = this.#setting;
    const { warmUpMs, controlMs } = plan.phases;
    this.#recorder.start(await this.#load.started);
    this.#recorder.nameReplicas(await cluster.replicas());
    const look = (): void => {
      void this.#sample();
      this.#progress?.line(describeNow(this.#recorder, plan));
    };
    this.#timers.push(setInterval(look, SAMPLE_EVERY_MS));
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

  async #faults(): Promise<string> {
    const { plan, cluster } = this.#setting;
    const fromMs = plan.phases.warmUpMs + plan.phases.controlMs;
    this.#injections = Promise.all(plan.faults.map((fault) => this.#injectAndHeal(fault)));
    await this.#injections;
    this.#over.throwIfAborted();
    this.#recorder.nameReplicas(await cluster.replicas());
    const lastHealMs = this.#recorder.elapsedMs();
    await this.#until('faults', fromMs, Math.max(fromMs + plan.phases.faultsMs, lastHealMs));
    return describeOutcomes(this.#recorder.counts);
  }

  // One fault at its time, healed at its time, whatever happens to the others; none begins once the run is over.
  async #injectAndHeal(fault: PlannedFault): Promise<void> {
    const { cluster, remember } = this.#setting;
    await this.#sleepUntil(fault.atMs).catch(() => {});
    if (this.#over.aborted) return;
    const recorder = this.#recorder;
    const record = recorder.fault(fault, readConntrack());
    const proven = ({ isProven, evidence }: Proof): void => {
      Object.assign(record, { isProven, proof: evidence });
    };
    const name = `${fault.kind} ${fault.targets.join(', ')}`;
    const { isRepeated } = FAULT_FACTS[fault.kind];
    let armed: ArmedFault | null = null;
    this.#reported.set(fault, this.#report('begin', fault));
    try {
      remember(fault);
      const hit = (replica: Replica): HitNote => recorder.hit(record, replica);
      armed = FAULTS[fault.kind]({ fault, cluster, hit, signal: this.#over });
      this.#say(name);
      await armed.inject();
      record.injectedMs = recorder.elapsedMs();
      if (!isRepeated) proven(await armed.prove());
      await this.#sleepUntil(fault.atMs + fault.forMs).catch(() => {});
      if (isRepeated) proven(await armed.prove());
    } catch (error) {
      proven({ isProven: false, evidence: (error as Error).message });
    }
    record.healMs = recorder.elapsedMs();
    try {
      await armed?.heal();
      record.healedMs = recorder.elapsedMs();
      this.#reportEnd(fault);
      this.#say(`${name}: over`);
    } catch (error) {
      // The general heal at the end of the run tries again, and reports what it can't mend.
      this.#say(`${name}: could not be healed, ${(error as Error).message}`);
    }
  }

  #reportEnd(fault: PlannedFault): void {
    const begun = this.#reported.get(fault);
    this.#reported.delete(fault);
    this.#ends.push(Promise.resolve(begun).then(() => this.#report('end', fault)));
  }

  // Nothing waits for it: a proxy that is hit can't take it.
  async #report(phase: FaultReport['phase'], { id, kind, targets }: PlannedFault): Promise<void> {
    const { plan, report } = this.#setting;
    const detail = `chaos ${plan.scenario}, seed ${plan.seed}`;
    // A run that was killed may have left one of the same number.
    const fault = { phase, id: `${this.#beganMs} ${id}`, kind, target: targets.join(', '), detail };
    await report(fault).catch((error: Error) => debug('not reported: %s', error.message));
  }

  async #quietAndAfter(): Promise<string> {
    const { quietMs, afterMs } = this.#setting.plan.phases;
    const fromMs = this.#recorder.elapsedMs();
    await this.#until('quiet', fromMs, fromMs + quietMs);
    await this.#sample();
    const afterFromMs = this.#recorder.elapsedMs();
    await this.#until('after', afterFromMs - 1, afterFromMs + afterMs);
    await this.#sample();
    return describeRotation(this.#recorder.views);
  }

  async #until(phase: PhaseName, fromMs: number, toMs: number): Promise<void> {
    await this.#sleepUntil(toMs);
    this.#recorder.phase(phase, fromMs, Math.max(toMs, this.#recorder.elapsedMs()));
  }

  // Rejects when the run is over before.
  async #sleepUntil(atMs: number): Promise<void> {
    const leftMs = atMs - this.#recorder.elapsedMs();
    if (leftMs > 0) await sleep(leftMs, undefined, { signal: this.#over });
  }

  #say(text: string): void {
    this.#progress?.phase(`${(this.#recorder.elapsedMs() / 1000).toFixed(1)} s: ${text}`);
  }

  async #sample(): Promise<void> {
    const { views } = this.#recorder;
    const look = async (watch: ProxyWatch, index: number): Promise<void> => {
      const sample = await watch.sample();
      if (sample !== null) views[index]?.tables.push(sample);
    };
    await Promise.all(this.#watches.map(look));
  }
}

function loadArguments({ plan, target }: RunSetting): string[] {
  const seconds = Math.ceil(lengthOf(plan) / 1000 + SPARE_SECONDS);
  const retry = plan.retryForMs > 0 ? ['--retry-for', String(plan.retryForMs)] : [];
  return [
    ...['--proxy', target, '--rate', String(plan.rate), '--duration', String(seconds)],
    ...['--policies', plan.policies.join(','), '--timeout', REPLY_WITHIN_MS],
    ...['--attempt-timeout', REPLY_WITHIN_MS, ...retry],
  ];
}
