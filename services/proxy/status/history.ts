// What happened in each of the last 600 seconds: rates, latencies, errors and retries, for charts.

import type { Fault, Out, Series, History as Told } from '../page/browser/model/contract.ts';
import type { ForwarderCounters } from '../routing/forwarder.ts';
import type { PolicyTable } from '../routing/policy-table.ts';
import { noCounts, quantileOf } from '../servers/durations.ts';
import { keyOf, type Upstream } from '../servers/upstream.ts';
import type { ClusterEvent, EventType } from './events.ts';

const STEP_MS = 1000;
const KEPT = 600;
// Policies come and go, and a chart has room for few.
const MAX_POLICIES = 64;

export type HistorySources = { table: PolicyTable; counters: ForwarderCounters };

/** Written by `nextSecond` alone, which is to be called each second. */
export class History {
  readonly #sources: HistorySources;
  readonly #rates = new WeakMap<Upstream, { before: number; perS: number }>();
  readonly #series: { rate: Series; p50Ms: Series; p90Ms: Series; p99Ms: Series; retries: Series } = {
    rate: [],
    p50Ms: [],
    p90Ms: [],
    p99Ms: [],
    retries: [],
  };
  readonly #errors = new Map<string, Series>();
  readonly #policies = new Map<string, Series>();
  #before = { requests: 0, retries: 0, errors: {} as Record<string, number> };
  #untilMs = 0;

  constructor(sources: HistorySources) {
    this.#sources = sources;
  }

  /** A second is over; `atMs` is since the epoch. */
  nextSecond(atMs: number): void {
    const { table, counters } = this.#sources;
    this.#untilMs = atMs;
    const total = noCounts();
    for (const { policy, upstreams } of table.routes) {
      let sum = 0;
      for (const upstream of upstreams) {
        upstream.durations.nextSecond(total);
        sum += this.#measure(upstream);
      }
      if (sum > 0 || this.#policies.has(policy)) this.#notePolicy(policy, sum);
    }
    const { rate, p50Ms, p90Ms, p99Ms, retries } = this.#series;
    append(rate, counters.requests - this.#before.requests);
    append(retries, counters.retries - this.#before.retries);
    append(p50Ms, quantileOf(total, 0.5));
    append(p90Ms, quantileOf(total, 0.9));
    append(p99Ms, quantileOf(total, 0.99));
    const codes = new Set([...this.#errors.keys(), ...Object.keys(counters.errors)]);
    for (const code of codes)
      append(this.#errorsOf(code), (counters.errors[code] ?? 0) - (this.#before.errors[code] ?? 0));
    this.#before = {
      requests: counters.requests,
      retries: counters.retries,
      errors: { ...counters.errors },
    };
  }

  /** Requests a second that it was handed, of the last second. */
  rateOf(upstream: Upstream): number {
    return this.#rates.get(upstream)?.perS ?? 0;
  }

  /** All of the last second. */
  get now() {
    const { rate, p50Ms, p99Ms, retries } = this.#series;
    const errorsPerS: Record<string, number> = {};
    for (const [code, series] of this.#errors) errorsPerS[code] = series.at(-1) ?? 0;
    return {
      requestsPerS: rate.at(-1) ?? 0,
      retriesPerS: retries.at(-1) ?? 0,
      p50Ms: p50Ms.at(-1) ?? null,
      p99Ms: p99Ms.at(-1) ?? null,
      errorsPerS,
    };
  }

  /** The whole, as JSON; `events` and `faults` are the kept ones, oldest first. */
  describe(events: readonly ClusterEvent[], faults: readonly Fault[]): Told {
    const length = this.#series.rate.length;
    const fromMs = this.#untilMs - length * STEP_MS;
    const isSeen = ({ untilMs }: { untilMs: number | null }): boolean =>
      untilMs === null || untilMs >= fromMs;
    return {
      stepMs: STEP_MS,
      fromMs,
      ...this.#series,
      errors: Object.fromEntries(withLength(this.#errors, length)),
      policyRates: Object.fromEntries(withLength(this.#policies, length)),
      faults: faults.filter(isSeen),
      outs: outsOf(events).filter(isSeen),
    };
  }

  #measure(upstream: Upstream): number {
    const known = this.#rates.get(upstream);
    const perS = upstream.tally.sent - (known?.before ?? 0);
    this.#rates.set(upstream, { before: upstream.tally.sent, perS });
    return perS;
  }

  #notePolicy(policy: string, requests: number): void {
    let series = this.#policies.get(policy);
    if (series === undefined) {
      if (this.#policies.size >= MAX_POLICIES) return;
      series = noneFor(this.#series.rate.length);
      this.#policies.set(policy, series);
    }
    append(series, requests);
  }

  #errorsOf(code: string): Series {
    let series = this.#errors.get(code);
    if (series === undefined) {
      series = noneFor(this.#series.rate.length - 1);
      this.#errors.set(code, series);
    }
    return series;
  }
}

const TAKES_OUT: ReadonlySet<EventType> = new Set(['suspect', 'evicted', 'ejected', 'drained']);
const ENDS_DRAIN: ReadonlySet<EventType> = new Set(['resumed', 'forgotten', 'left', 'replaced']);

/** When which server was out: from an event that takes it out to the next one that lets it in, or ends it. */
function outsOf(events: readonly ClusterEvent[]): Out[] {
  const open = new Map<string, Out>();
  const outs: Out[] = [];
  for (const { type, policy, id, atMs, why } of events) {
    const key = keyOf({ policy, id });
    const before = open.get(key);
    const takesOut = TAKES_OUT.has(type);
    // What is measured of a drained server does not bring it back.
    if (before?.state === 'drained' && !ENDS_DRAIN.has(type)) continue;
    if (takesOut && before !== undefined) {
      before.state = type;
      before.why = why;
    } else if (takesOut) {
      const out = { policy, id, fromMs: atMs, untilMs: null, state: type, why };
      open.set(key, out);
      outs.push(out);
    } else if (before !== undefined && type !== 'leaving' && type !== 'probe-ordered') {
      before.untilMs = atMs;
      open.delete(key);
    }
  }
  return outs;
}

function append(series: Series, value: number | null): void {
  series.push(value);
  if (series.length > KEPT) series.shift();
}

function noneFor(seconds: number): Series {
  return Array.from({ length: Math.max(0, seconds) }, () => null);
}

// One that began later, or whose policy has gone, has nothing in the seconds without it.
function withLength(all: ReadonlyMap<string, Series>, length: number): [string, Series][] {
  return [...all].map(([name, series]) => [
    name,
    [...noneFor(length - series.length), ...series].slice(-length),
  ]);
}
