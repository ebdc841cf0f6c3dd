// When to probe which server, and the only writer of a server's health: every change goes through one pure step.
import { jittered } from '../../shared/backoff.ts';
import type { Clock } from '../../shared/clock.ts';
import type { LimitedLog } from '../../shared/log.ts';
import type { ProxyOptions } from '../options.ts';
import type { FailureKind } from '../servers/failure.ts';
import type { NamedRequest, Suspect, Upstream } from '../servers/upstream.ts';
import { type Health, isInRotation, type Signal, step, type Thresholds } from './health.ts';
import type { ProbeResult } from './prober.ts';

const FIRST_RETRY_MS = 50;
const INTERVAL_JITTER = 0.1;
const MIN_PHASE = 0.1;
// After a failed probe the next comes sooner, so that one miss is soon confirmed or forgotten (HAProxy's `fastinter`).
const FAST_SHARE_OF_INTERVAL = 0.25;
const SUSPECT_RETRY_MS = 10;
// A server that stays in rotation may fail with every request; probes must not come as often.
const MIN_GAP_MS = 100;
const ADDRESS_BUSY_MS = 10;
const MAX_KNOWN_AS = 64;
const SHARE_WITHIN_MS = 10_000;
// An eviction names the request under which a connection to the server broke so shortly before.
const NAMED_WITHIN_MS = 2000;
const EVIDENCE_PROBES = 3;

export type HealthCheckerOptions = Thresholds & Pick<ProxyOptions, 'healthIntervalMs'>;

export type HealthCheckerWorld = {
  probe: (upstream: Upstream) => Promise<ProbeResult>;
  clock: Clock;
  random: () => number;
  /** Whether no other server of its policy is ready. */
  isLastReady: (upstream: Upstream) => boolean;
  /** Whether this proxy's subset of its policy's servers has a place for it. */
  hasPlace: (upstream: Upstream) => boolean;
  /** Its state has changed from `before`; called after every flip. */
  onFlip: (upstream: Upstream, before: Health) => void;
  /** Gets a line for each failed probe. */
  log: LimitedLog;
};

type Watch = {
  cancelProbe: () => void;
  cancelPenalty: () => void;
  isProbing: boolean;
  /** The running probe began before the latest failure was reported: whatever it says, another one follows. */
  isStale: boolean;
  attempts: number;
  startedMs: number;
  /** How many requests it had answered when the running probe began. */
  servedBefore: number;
  /** What real traffic had come to at the probes of the last 10 s, oldest first. */
  samples: TrafficSample[];
  /** Real requests that failed since the last one that was answered: the count, and how many were answered before. */
  failuresInARow: number;
  servedBeforeRow: number;
};

type TrafficSample = { atMs: number; served: number; failed: number };

export class HealthChecker {
  readonly #options: HealthCheckerOptions;
  readonly #world: HealthCheckerWorld;
  readonly #watches = new Map<Upstream, Watch>();
  /** Addresses that are being probed: a server that registers anew must not be probed beside its former self. */
  readonly #probedAddresses = new Set<string>();

  constructor(options: HealthCheckerOptions, world: HealthCheckerWorld) {
    this.#options = options;
    this.#world = world;
  }

  /** Starts to look after a server; its first probe starts at once. */
  watch(upstream: Upstream): void {
    this.#watches.set(upstream, {
      cancelProbe: () => {},
      cancelPenalty: () => {},
      isProbing: false,
      isStale: false,
      attempts: 0,
      startedMs: 0,
      servedBefore: 0,
      samples: [this.#sampleOf(upstream)],
      failuresInARow: 0,
      servedBeforeRow: upstream.tally.served,
    });
    this.#probe(upstream);
  }

  unwatch(upstream: Upstream): void {
    const watch = this.#watches.get(upstream);
    if (watch === undefined) return;
    this.#watches.delete(upstream);
    watch.cancelProbe();
    watch.cancelPenalty();
  }

  stop(): void {
    for (const upstream of [...this.#watches.keys()]) this.unwatch(upstream);
  }

  /** The session ended or went silent: the server is suspect, and a probe decides. */
  onLeaseLost(upstream: Upstream, why: string): void {
    this.#signal(upstream, { kind: 'lease-lost', why });
    this.probeNow(upstream);
  }

  /** One of its connections broke under a real request. */
  onBroke(upstream: Upstream, suspect: Suspect): void {
    upstream.brokeUnder = suspect;
  }

  /** A real request, or a connection without one, failed on it. */
  onFailure(upstream: Upstream, failure: FailureKind, request: NamedRequest | null): void {
    const watch = this.#watches.get(upstream);
    if (watch === undefined) return;
    if (watch.servedBeforeRow !== upstream.tally.served) watch.failuresInARow = 0;
    watch.servedBeforeRow = upstream.tally.served;
    watch.failuresInARow += 1;
    if (upstream.health.state === 'trial') this.#signal(upstream, { kind: 'trial-failed', failure });
    else if (failure === 'wrong-digest') this.#signal(upstream, { kind: 'wrong-answer' });
    // The probe has been when it fell silent.
    else if (failure !== 'silent') {
      const name = request === null ? '' : nameOf(request);
      this.#signal(upstream, { kind: 'bad-request', failure, request: name });
    }
    this.#signal(upstream, { kind: 'failed-in-a-row', count: watch.failuresInARow });
    const sample = watch.samples[0] as TrafficSample;
    const failed = upstream.tally.failed - sample.failed;
    this.#signal(upstream, {
      kind: 'failed-share',
      failed,
      of: failed + upstream.tally.served - sample.served,
    });
    this.probeNow(upstream);
  }

  /** It has worked on a real request for longer than an attempt may take: a probe finds out whether it is slow or dead. */
  onSilence(upstream: Upstream, request: NamedRequest): void {
    this.#signal(upstream, { kind: 'silence', request: nameOf(request) });
    this.probeNow(upstream);
  }

  onTrialPassed(upstream: Upstream): void {
    this.#signal(upstream, { kind: 'trial-passed' });
  }

  /** It goes on purpose: no new request goes to it. */
  onLeave(upstream: Upstream): void {
    this.#signal(upstream, { kind: 'leave' });
  }

  /** Its policy has no server in rotation: neither a penalty nor a suspicion that a probe can clear is a reason to stay out. */
  onNeeded(upstream: Upstream): void {
    this.#signal(upstream, { kind: 'needed' });
    if (upstream.health.state === 'suspect') this.probeNow(upstream);
  }

  /** This proxy's subset has no place for it any more. */
  onDisplaced(upstream: Upstream): void {
    this.#signal(upstream, { kind: 'displaced' });
  }

  /** This proxy's subset has a place for it: it gets requests as soon as a probe has passed. */
  onCalled(upstream: Upstream): void {
    this.#signal(upstream, { kind: 'called' });
    if (this.#watches.get(upstream)?.isProbing === false) this.probeNow(upstream);
  }

  /** Probes at once instead of when it is due; a server that stays in rotation, a little later if one has just been. */
  probeNow(upstream: Upstream): void {
    const watch = this.#watches.get(upstream);
    if (watch === undefined || upstream.health.state === 'leaving') return;
    if (watch.isProbing) watch.isStale = true;
    else if (upstream.health.state === 'suspect') this.#probe(upstream);
    else this.#probeIn(upstream, watch, watch.startedMs + MIN_GAP_MS - this.#world.clock.now());
  }

  #probeIn(upstream: Upstream, watch: Watch, delayMs: number): void {
    const { clock } = this.#world;
    watch.cancelProbe();
    watch.cancelProbe = clock.after(Math.max(0, delayMs), () => this.#probe(upstream));
    upstream.nextProbeMs = clock.now() + Math.max(0, delayMs);
  }

  #probe(upstream: Upstream): void {
    const watch = this.#watches.get(upstream);
    if (watch === undefined) return;
    watch.cancelProbe();
    const { address } = upstream;
    if (this.#probedAddresses.has(address)) {
      this.#probeIn(upstream, watch, ADDRESS_BUSY_MS);
      return;
    }
    this.#probedAddresses.add(address);
    watch.isProbing = true;
    upstream.nextProbeMs = 0;
    watch.isStale = false;
    watch.startedMs = this.#world.clock.now();
    watch.servedBefore = upstream.tally.served;
    void this.#world.probe(upstream).then((result) => {
      this.#probedAddresses.delete(address);
      this.#onResult(upstream, watch, result);
    });
  }

  #onResult(upstream: Upstream, watch: Watch, result: ProbeResult): void {
    if (this.#watches.get(upstream) !== watch) return;
    watch.isProbing = false;
    watch.attempts += 1;
    const { roundTripMs, answersAs, detail } = result;
    // A server that takes one connection at a time has the probe wait behind our own requests: its answers to those say as much.
    const hasServed = !upstream.keepsAlive && upstream.tally.served > watch.servedBefore;
    const outcome = result.outcome === 'timeout' && hasServed ? 'pass' : result.outcome;
    upstream.noteProbe({ atMs: this.#world.clock.wallNow(), outcome, roundTripMs, detail });
    if (outcome === 'pass') upstream.passedMs = watch.startedMs;
    if (result.outcome === 'pass') {
      upstream.answersAs ??= answersAs;
      if (answersAs !== null) {
        upstream.tally.provenMs = watch.startedMs;
        if (upstream.knownAs.size < MAX_KNOWN_AS) upstream.knownAs.add(answersAs);
      }
    }
    if (outcome !== 'pass') {
      const { policy, id, address } = upstream;
      const about = { policy, id, address, outcome, detail };
      this.#world.log.write({ level: 'debug', message: 'probe failed', ...about });
    }
    this.#sample(upstream, watch);
    // Only a suspect has something against it that a pass from before would wipe out.
    const isOutdated = watch.isStale && outcome === 'pass' && upstream.health.state === 'suspect';
    const failedInARow = watch.servedBeforeRow === upstream.tally.served ? watch.failuresInARow : 0;
    if (!isOutdated) this.#signal(upstream, { kind: 'probe', outcome, roundTripMs, detail, failedInARow });
    // A server that could not be probed has not had its time yet.
    if (outcome !== 'local') this.#signal(upstream, { kind: 'tick' });
    if (!this.#watches.has(upstream)) return;
    if (watch.isStale) this.probeNow(upstream);
    else if (!isVouchedFor(upstream)) this.#probeIn(upstream, watch, this.#untilNextMs(upstream, watch));
  }

  #sampleOf({ tally: { served, failed } }: Upstream): TrafficSample {
    return { atMs: this.#world.clock.now(), served, failed };
  }

  #sample(upstream: Upstream, { samples }: Watch): void {
    const sample = this.#sampleOf(upstream);
    samples.push(sample);
    while (samples.length > 1 && sample.atMs - (samples[1] as TrafficSample).atMs >= SHARE_WITHIN_MS)
      samples.shift();
  }

  #untilNextMs(upstream: Upstream, watch: Watch): number {
    const { healthIntervalMs: intervalMs, forgetAfterMs } = this.#options;
    const { clock, random } = this.#world;
    const { state, failures, clearFromMs } = upstream.health;
    if (state === 'joining') return Math.min(intervalMs, FIRST_RETRY_MS * 2 ** (watch.attempts - 1));
    if (state === 'suspect')
      return Math.min(intervalMs, Math.max(SUSPECT_RETRY_MS, clearFromMs - clock.now()));
    if ((isInRotation(state) || state === 'standby') && failures > 0)
      return intervalMs * FAST_SHARE_OF_INTERVAL;
    // Without a session nothing else shows that it has gone.
    if (state === 'standby') return forgetAfterMs;
    // Servers that have registered together are not probed together: each has a phase of its own from the first interval on.
    const waitMs =
      watch.attempts === 1
        ? intervalMs * (MIN_PHASE + (1 - MIN_PHASE) * random())
        : jittered(intervalMs, random(), INTERVAL_JITTER);
    return watch.startedMs + waitMs - clock.now();
  }

  #signal(upstream: Upstream, signal: Signal): void {
    const { clock, random, isLastReady, hasPlace, onFlip } = this.#world;
    const watch = this.#watches.get(upstream);
    if (watch === undefined) return;
    const before = upstream.health;
    const stepped = step(before, signal, this.#options, {
      nowMs: clock.now(),
      isLastReady: isLastReady(upstream),
      hasPlace: () => hasPlace(upstream),
      random: random(),
    });
    if (stepped.state === before.state) {
      upstream.health = stepped;
      return;
    }
    const after = this.#withCulprit(upstream, withProbes(upstream, stepped));
    upstream.health = after;
    upstream.stateSinceWallMs = clock.wallNow();
    watch.cancelPenalty();
    if (after.state === 'ejected') {
      watch.samples = [this.#sampleOf(upstream)];
      watch.cancelPenalty = clock.after(after.penaltyEndsMs - clock.now(), () =>
        this.#signal(upstream, { kind: 'penalty-over' }),
      );
    }
    if (after.state === 'ready' && before.state !== 'suspect') watch.failuresInARow = 0;
    onFlip(upstream, before);
  }

  // An eviction names the request that was in the server's hands.
  #withCulprit({ brokeUnder }: Upstream, after: Health): Health {
    const { state, why, evidence } = after;
    if (state !== 'evicted' || brokeUnder === null || why.includes('a real request')) return after;
    if (this.#world.clock.now() - brokeUnder.atMs > NAMED_WITHIN_MS) return after;
    const request = nameOf(brokeUnder);
    return {
      ...after,
      why: `${why}; its connection broke under a request ${request}`,
      evidence: { ...evidence, request },
    };
  }
}

// One that stands by is not probed as long as its session shows that it lives: the session's end has it probed.
function isVouchedFor({ health: { state, failures }, hasSession }: Upstream): boolean {
  return state === 'standby' && failures === 0 && hasSession;
}

// A change that probes decided has the last of them in its evidence.
function withProbes({ probes }: Upstream, health: Health): Health {
  const { cause, evidence } = health;
  const isDecidedByProbes = cause.startsWith('probe-') || cause === 'never-ready' || cause === 'not-back';
  return isDecidedByProbes
    ? { ...health, evidence: { ...evidence, probes: probes.slice(-EVIDENCE_PROBES) } }
    : health;
}

function nameOf({ clientId, bytes }: NamedRequest): string {
  return `of client ${String(clientId)} (${bytes} bytes)`;
}
