// What a server's state becomes when something is learnt of it: one step, after pingora's load-balancing.
import type { ProxyOptions } from '../options.ts';
import type { FailureKind, ProbeFailure, ProbeOutcome } from '../servers/failure.ts';
import type { Because, Cause, Evidence } from './cause.ts';
import {
  CLEAN_RECORD,
  type OutlierRecord,
  SILENCE_COUNTS_AGAIN_MS,
  whyLiar,
  withEjection,
  withSuspicion,
  withWrongAnswer,
} from './outlier.ts';

/**
 * joining: registered, gets nothing before its first probe has passed · ready: in rotation ·
 * standby: outside this proxy's subset, steps in when a server of it goes ·
 * suspect: out of rotation until a probe has decided · evicted: failed, probed for a come-back ·
 * ejected: an outlier, out for a penalty · trial: back for one real request · leaving: going on purpose ·
 * forgotten: no longer in the table
 */
export type State =
  | 'joining'
  | 'ready'
  | 'standby'
  | 'suspect'
  | 'evicted'
  | 'ejected'
  | 'trial'
  | 'leaving'
  | 'forgotten';

/** `cause` is what has brought it into its state; `why` may say more by now. */
export type Health = OutlierRecord &
  Because &
  Readonly<{
    state: State;
    sinceMs: number;
    passes: number;
    /** What has spoken against it since a probe passed. */
    failures: number;
    /** How many of them were probes. */
    failedProbes: number;
    /** Since when it is back in rotation, monotonic ms; a probe that clears a suspect does not start this anew. */
    readySinceMs: number;
    /** What the last probe that failed came to; '' before the first. */
    lastFailure: string;
  }>;

export type Signal =
  /**
   * `detail` is a clause about what the server did with the probe; '' where the outcome says all. So many real requests had
   * failed in a row by then.
   */
  | { kind: 'probe'; outcome: ProbeOutcome; roundTripMs: number; detail?: string; failedInARow?: number }
  /** The session ended or went silent. */
  | { kind: 'lease-lost'; why: string }
  /** A real request found the server refusing or gone, or got no answer from it; `request` is '' where it broke without one. */
  | { kind: 'bad-request'; failure: FailureKind; request: string }
  /** It works on a real request for longer than it should: a probe finds out whether it is slow or dead. */
  | { kind: 'silence'; request: string }
  /** Real requests failed in a row, `count` of them by now. */
  | { kind: 'failed-in-a-row'; count: number }
  /** Of the last `of` real requests, `failed` have failed. */
  | { kind: 'failed-share'; failed: number; of: number }
  /** A real request was answered with a wrong digest; only where answers are verified. */
  | { kind: 'wrong-answer' }
  | { kind: 'penalty-over' }
  | { kind: 'trial-passed' }
  | { kind: 'trial-failed'; failure: FailureKind }
  /** Its policy has no other server left. */
  | { kind: 'needed' }
  /** A server with a better place in this proxy's subset has come. */
  | { kind: 'displaced' }
  /** A server of this proxy's subset has gone, and it is the next. */
  | { kind: 'called' }
  | { kind: 'leave' }
  | { kind: 'tick' };

export type Thresholds = Pick<ProxyOptions, 'fall' | 'rise' | 'forgetAfterMs'>;

/** A new server of which no probe has passed by then is dropped. */
export const JOIN_WITHIN_MS = 10_000;
// So many real requests that fail in a row eject.
const OUTLIER_FAILURES = 5;
// Half of at least so many real requests of the last seconds that fail eject.
const OUTLIER_REQUESTS = 20;
const TRIAL_PASSED: Because = {
  cause: 'trial-passed',
  why: 'its trial request was answered',
  evidence: {},
};
const LEAVE: Because = { cause: 'leave', why: 'it said that it is leaving', evidence: {} };
const OUTSIDE: Because = {
  cause: 'outside-subset',
  why: 'other servers are the subset that this proxy uses: it steps in when one of them goes',
  evidence: {},
};
const STEPS_IN: Because = {
  cause: 'stepped-in',
  why: 'a server of the subset that this proxy uses has gone, and it is the next: a probe decides',
  evidence: {},
};

export type Circumstances = {
  nowMs: number;
  /** No other server of its policy is ready: real requests that failed may then not take it out. */
  isLastReady: boolean;
  /** Whether this proxy's subset has a place for it; asked only when it is about to come into the rotation. */
  hasPlace: () => boolean;
  random: number;
};

export function newcomer(nowMs: number, why: string, cause: Cause = 'registered'): Health {
  return {
    ...CLEAN_RECORD,
    state: 'joining',
    sinceMs: nowMs,
    cause,
    why,
    evidence: {},
    passes: 0,
    failures: 0,
    failedProbes: 0,
    readySinceMs: 0,
    lastFailure: '',
  };
}

export function isInRotation(state: State): boolean {
  return state === 'ready' || state === 'trial';
}

/**
 * One step of the health machine. An opposite result always resets a streak.
 * @returns the same object when nothing changed; another `state` in it is a flip
 */
export function step(health: Health, signal: Signal, thresholds: Thresholds, at: Circumstances): Health {
  const after = decide(health, signal, thresholds, at);
  const comesIn = isInRotation(after.state) && !isInRotation(health.state);
  return comesIn && !at.hasPlace() ? flip(after, 'standby', OUTSIDE, at) : after;
}

function decide(health: Health, signal: Signal, thresholds: Thresholds, at: Circumstances): Health {
  const { state } = health;
  const mayGo = state === 'ready' && !at.isLastReady;
  switch (signal.kind) {
    case 'probe':
      if (state === 'leaving' || state === 'forgotten') return health;
      if (signal.outcome === 'local') return afterLocalFailure(health, signal.detail ?? '');
      return signal.outcome === 'pass'
        ? afterPass(health, signal, thresholds, at)
        : afterFailure(health, signal.outcome, signal.detail ?? '', thresholds, at);
    case 'lease-lost':
      return afterLostLease(health, signal.why, at);
    case 'bad-request': {
      if (!isInRotation(state) || at.isLastReady) return health;
      const failed = withSuspicion({ ...health, failures: health.failures + 1 }, at.nowMs);
      const { failure, request } = signal;
      const which = request === '' ? {} : { request };
      const why = `a real request failed: ${failure}${request === '' ? '' : `, ${request}`}`;
      return flip(failed, 'suspect', { cause: 'request-failed', why, evidence: { failure, ...which } }, at);
    }
    case 'silence': {
      // Slow requests may come one after the other, and each probe says that the server lives: that must not keep it out.
      const isRecent = at.nowMs - health.silentSinceMs < SILENCE_COUNTS_AGAIN_MS;
      if (!mayGo || isRecent) return health;
      const { request } = signal;
      const why = `a real request is not answered, ${request}`;
      const silent = { ...health, silentSinceMs: at.nowMs };
      return flip(silent, 'suspect', { cause: 'request-silent', why, evidence: { request } }, at);
    }
    case 'failed-in-a-row':
      return mayGo && signal.count >= OUTLIER_FAILURES ? eject(health, inARow(signal.count), at) : health;
    case 'failed-share': {
      // Probes that pass clear a suspect within a millisecond, so it may be one or the other.
      const isHit = signal.of >= OUTLIER_REQUESTS && signal.failed * 2 >= signal.of;
      if (!isHit || (state !== 'ready' && state !== 'suspect') || at.isLastReady) return health;
      const { failed, of } = signal;
      const why = `${failed} of its last ${of} real requests failed`;
      return eject(health, { cause: 'failed-share', why, evidence: { failed, of } }, at);
    }
    case 'wrong-answer': {
      // An ejection does not clear the record: a server that lies again within the window goes with its first lie.
      const noted = withWrongAnswer(health, thresholds.fall, at.nowMs);
      const why = whyLiar(noted, thresholds.fall);
      if (!mayGo || why === null) return noted;
      const evidence = { wrongAnswers: noted.wrongAnswersMs.length };
      return eject(noted, { cause: 'wrong-answers', why, evidence }, at);
    }
    case 'penalty-over':
      // A request is no way to find out what a probe has just found out: the next one that passes lets it in.
      return state === 'ejected' && health.failures === 0 ? toTrial(health, at) : health;
    case 'trial-passed':
      return state === 'trial'
        ? flip({ ...health, failures: 0, failedProbes: 0 }, 'ready', TRIAL_PASSED, at)
        : health;
    case 'trial-failed': {
      if (state !== 'trial') return health;
      const { failure } = signal;
      const why = `its trial request failed: ${failure}`;
      const evidence = { failure };
      const last = `${why}, but its policy has no other server left`;
      return at.isLastReady
        ? flip(health, 'ready', { cause: 'last-of-policy', why: last, evidence }, at)
        : eject(health, { cause: 'trial-failed', why, evidence }, at);
    }
    case 'needed':
      if (state === 'suspect') return { ...health, clearFromMs: at.nowMs };
      return state === 'ejected' ? flip(health, 'ready', needed(health), at) : health;
    case 'displaced':
      return isInRotation(state) || state === 'suspect' ? flip(health, 'standby', OUTSIDE, at) : health;
    case 'called':
      return state === 'standby'
        ? flip({ ...health, readySinceMs: at.nowMs }, 'suspect', STEPS_IN, at)
        : health;
    case 'leave':
      return state === 'leaving' ? health : flip(health, 'leaving', LEAVE, at);
    case 'tick':
      return afterWaiting(health, thresholds, at);
    default:
      return signal satisfies never;
  }
}

function inARow(count: number): Because {
  const why = `${count} real requests in a row failed`;
  return { cause: 'failed-in-a-row', why, evidence: { failedInARow: count } };
}

function needed({ cause }: Health): Because {
  return { cause: 'last-of-policy', why: 'its policy has no other server left', evidence: { before: cause } };
}

// A server that joins has not been probed yet, and says so.
function afterLocalFailure(health: Health, detail: string): Health {
  if (health.state !== 'joining') return health;
  const why = `it could not be probed yet: this machine has run out of something${detail === '' ? '' : ` (${detail})`}`;
  return { ...health, why };
}

// One in its penalty, or standing by, gets nothing anyway; through a cut session it must not come back before its time.
function afterLostLease(health: Health, why: string, at: Circumstances): Health {
  const failed = { ...health, failures: health.failures + 1 };
  if (isInRotation(health.state))
    return flip(failed, 'suspect', { cause: 'session-lost', why, evidence: { session: why } }, at);
  return health.state === 'ejected' || health.state === 'standby' ? failed : health;
}

function afterPass(
  health: Health,
  { roundTripMs, failedInARow = 0 }: Signal & { kind: 'probe' },
  thresholds: Thresholds,
  at: Circumstances,
): Health {
  const passed = { ...health, failures: 0, failedProbes: 0, passes: health.passes + 1 };
  const took = `${roundTripMs.toFixed(1)} ms`;
  const because = (why: string, evidence: Evidence = {}): Because => ({
    cause: 'probe-passed',
    why,
    evidence,
  });
  switch (health.state) {
    case 'joining':
      return flip(passed, 'ready', because(`its first probe passed in ${took}`), at);
    case 'suspect': {
      if (at.nowMs < health.clearFromMs) return passed;
      const cleared = because(`a probe passed in ${took}`, { before: health.cause });
      if (at.isLastReady) return flip(passed, 'ready', cleared, at);
      // It may answer probes and nothing else. It may as well have been frozen for a moment, with everything that was in
      // flight: no penalty is due yet. One real request decides, before all others go there again.
      if (health.sinceMs === health.silentSinceMs)
        return flip(passed, 'trial', { ...cleared, why: `${cleared.why}: one real request decides` }, at);
      if (failedInARow < OUTLIER_FAILURES) return flip(passed, 'ready', cleared, at);
      const outlier = inARow(failedInARow);
      return flip(passed, 'trial', { ...outlier, why: `${outlier.why}: one more decides` }, at);
    }
    case 'evicted': {
      if (passed.passes < thresholds.rise) return passed;
      const why = `${passed.passes} probes in a row passed`;
      return flip(passed, 'ready', because(why, { probesInARow: passed.passes }), at);
    }
    case 'ejected':
      return at.nowMs >= health.penaltyEndsMs ? toTrial(passed, at) : passed;
    default:
      // In rotation, or standing by: a pass after a pass is no news.
      return health.failures === 0 ? health : passed;
  }
}

function afterFailure(
  health: Health,
  outcome: Exclude<ProbeFailure, 'local'>,
  detail: string,
  thresholds: Thresholds,
  at: Circumstances,
): Health {
  const what = detail === '' ? outcome : `${outcome} (${detail})`;
  const failed = {
    ...health,
    passes: 0,
    failures: health.failures + 1,
    failedProbes: health.failedProbes + 1,
    lastFailure: what,
  };
  if (health.state === 'joining') return { ...failed, why: `no probe has passed yet, the last: ${what}` };
  if (health.state === 'evicted') return failed;
  const isEnough = outcome === 'refused' || outcome === 'somebody-else' || failed.failures >= thresholds.fall;
  if (!isEnough) return failed;
  const hasSpokenBefore = health.state === 'suspect' || failed.failedProbes < failed.failures;
  const before = hasSpokenBefore ? { ...health.evidence, before: health.cause } : {};
  const evidence = { ...before, probesInARow: failed.failedProbes };
  const why = whyEvicted(health, failed, outcome);
  return flip(failed, 'evicted', { cause: `probe-${outcome}`, why, evidence }, at);
}

function whyEvicted(
  before: Health,
  { failures, failedProbes, lastFailure }: Health,
  outcome: ProbeFailure,
): string {
  if (outcome === 'somebody-else') return 'another server answers at its address';
  const { state, why } = before;
  if (outcome === 'refused')
    return state === 'suspect' ? `${why}, then it refused the probe` : 'it refused the probe';
  return state === 'suspect' || failedProbes < failures
    ? `${why}, then the probe failed: ${lastFailure}`
    : `${failures} probes in a row failed, the last: ${lastFailure}`;
}

function afterWaiting(health: Health, thresholds: Thresholds, at: Circumstances): Health {
  const { state, lastFailure } = health;
  const waitedMs = at.nowMs - health.sinceMs;
  const last = lastFailure === '' ? '' : `, the last probe: ${lastFailure}`;
  if (state === 'joining' && waitedMs >= JOIN_WITHIN_MS) {
    const why = `no probe passed in the ${JOIN_WITHIN_MS / 1000} s since it registered${last}`;
    return flip(
      health,
      'forgotten',
      { cause: 'never-ready', why, evidence: { waitedMs: Math.round(waitedMs) } },
      at,
    );
  }
  if (state === 'evicted' && waitedMs >= thresholds.forgetAfterMs) {
    const why = `it did not come back in ${thresholds.forgetAfterMs / 1000} s${last}`;
    const evidence = { waitedMs: Math.round(waitedMs), before: health.cause };
    return flip(health, 'forgotten', { cause: 'not-back', why, evidence }, at);
  }
  return health;
}

function eject(health: Health, because: Because, at: Circumstances): Health {
  const servedMs = health.state === 'ready' ? at.nowMs - health.readySinceMs : 0;
  const ejected = withEjection(health, servedMs, at.nowMs, at.random);
  const { ejections } = ejected;
  const penaltyMs = Math.round(ejected.penaltyEndsMs - at.nowMs);
  const why = `${because.why}: out for ${(penaltyMs / 1000).toFixed(1)} s`;
  const evidence = { ...because.evidence, ejections, penaltyMs };
  return flip(ejected, 'ejected', { ...because, why, evidence }, at);
}

function toTrial(health: Health, at: Circumstances): Health {
  const why = 'its penalty is over: one real request decides';
  return flip(health, 'trial', { cause: 'penalty-over', why, evidence: { before: health.cause } }, at);
}

function flip(health: Health, state: State, because: Because, at: Circumstances): Health {
  return {
    ...health,
    ...because,
    state,
    sinceMs: at.nowMs,
    readySinceMs:
      state === 'trial' || (state === 'ready' && health.state !== 'suspect') ? at.nowMs : health.readySinceMs,
    passes: 0,
    failures: state === 'evicted' ? 0 : health.failures,
    failedProbes: state === 'evicted' ? 0 : health.failedProbes,
  };
}
