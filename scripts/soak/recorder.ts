// shell · writes down what becomes of each request, and each second how the proxy is.
// Must never keep a request: a soak of a night has millions.
import { residentBytes } from '../kit/process-cost.ts';
import type { RequestRecord } from '../load/exchange.ts';
import { readHandles } from './handles.ts';
import { type Counts, NO_COUNTS, type Sample } from './journal.ts';
import { pauseOr } from './pause.ts';
import type { Stage } from './stage.ts';

const SAMPLE_EVERY_MS = 1_000;
const MAX_FAULTS = 20;

export class Recorder {
  readonly samples: Sample[] = [];
  readonly errors: Record<string, number> = {};
  /** The first requests that did not end well, a line each. */
  readonly faults: string[] = [];
  readonly counts: Counts = { ...NO_COUNTS };
  #recent: Counts = { ...NO_COUNTS };
  #originMs = performance.now();

  /** From now on times count from this moment. */
  begin(): void {
    this.#originMs = performance.now();
    this.#recent = { ...NO_COUNTS };
  }

  elapsedMs(): number {
    return performance.now() - this.#originMs;
  }

  /** One request has ended. */
  onRequest({ outcome, detail, policy, latencyMs, dueEpochMs }: RequestRecord): void {
    // The load was told to end: that is nobody's fault.
    if (outcome === 'dropped' && detail === 'interrupted') return;
    this.counts[outcome] += 1;
    this.#recent[outcome] += 1;
    if (outcome === 'ok' || outcome === 'dropped') return;
    if (outcome === 'error') this.errors[detail] = (this.errors[detail] ?? 0) + 1;
    if (this.faults.length >= MAX_FAULTS) return;
    const atMs = dueEpochMs - performance.timeOrigin - this.#originMs;
    this.faults.push(
      `${(atMs / 1000).toFixed(2)} s: policy ${policy}, ${outcome} (${detail}) after ${Math.round(latencyMs)} ms`,
    );
  }

  /** Takes samples until `signal` fires. */
  async keepSampling(stage: Stage, onSample: (sample: Sample) => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const startedMs = performance.now();
      const sample = await this.#sample(stage);
      // What has ended in the meantime holds no memory, and that is no measurement.
      if (sample.residentBytes > 0) {
        this.samples.push(sample);
        onSample(sample);
      }
      await pauseOr(startedMs + SAMPLE_EVERY_MS - performance.now(), signal);
    }
  }

  async #sample(stage: Stage): Promise<Sample> {
    const counts = this.#recent;
    this.#recent = { ...NO_COUNTS };
    const { pid } = stage.proxy;
    // The files first: asking for the status opens one.
    const own = {
      atMs: this.elapsedMs(),
      handles: readHandles(pid),
      residentBytes: residentBytes([pid]),
      inside: stage.takeInside(),
      counts,
    };
    const status = await stage.status().catch(() => null);
    const servers = status?.policies.flatMap((row) => row.servers) ?? null;
    return {
      ...own,
      connections: status?.proxy.connections ?? null,
      servers: servers?.length ?? null,
      ready: servers?.filter(({ state }) => state === 'ready').length ?? null,
    };
  }
}
