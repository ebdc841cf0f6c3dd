// pure · what a server's state becomes when something is learnt of it: one step, no clock, no randomness, no sockets.
// Must never decide when to probe or whom to tell: the health checker does, and only when a step flips the state.
// The one-step shape follows pingora's load-balancing; an opposite result always resets a streak.
import {
  isLiar,
  lies,
  SILENCE_COUNTS_AGAIN_MS,
  withEjection,
  withSuspicion,
  withWrongAnswer,
} from './outlier.ts';

/**
 * joining: registered, gets nothing before its first probe has passed · ready: in rotation ·
 * suspect: out of rotation until a probe has decided · evicted: failed, probed for a come-back ·
 * ejected: an outlier, out for a penalty · trial: back for one real request · leaving: going on purpose ·
 * forgotten: no longer in the table
 */
export type State =
  | 'joining'
  | 'ready'
  | 'suspect'
  | 'evicted'
  | 'ejected'
  | 'trial'
  | 'leaving'
  | 'forgotten';

export type ProbeOutcome =
  | 'pass'
  | 'refused'
  | 'timeout'
  | 'reset'
  | 'closed'
  | 'unreachable'
  | 'garbled'
  | 'wrong-digest'
  /** The answer has another id than this server's before: the address has changed hands. */
  | 'somebody-else'
  /** Its TLS is not what it has to be: the log says what is wrong. */
  | 'untrusted'
  /** The proxy's own machine had run out of something: it says nothing about the server. */
  | 'local';

export type Health = Readonly<{
  state: State;
  /** Monotonic ms of the last change of state. */
  sinceMs: number;
  why: string;
  passes: number;
  failures: number;
  /** How often it was ejected since it was last in rotation for long enough; the penalty doubles with each. */
  ejections: number;
  /** When an ejected server gets its trial, monotonic ms. */
  penaltyEndsMs: number;
  /** Since when it is back in rotation, monotonic ms; a probe that clears a suspect does not start this anew. */
  readySinceMs: number;
  /** When it gave its last wrong answers, monotonic ms, oldest first. */
  wrongAnswersMs: readonly number[];
  /** When it was last suspected because of real requests, monotonic ms, oldest first. */
  suspectedMs: readonly number[];
  /** A suspect that was suspected again and again is not cleared before then, monotonic ms. */
  clearFromMs: number;
  /** When it was last suspected because it was silent, monotonic ms. */
  silentSinceMs: number;
}>;

export type Signal =
  /** `detail` is a clause about what the server did with the probe; '' where the outcome says all. */
  | { kind: 'probe'; outcome: ProbeOutcome; roundTripMs: number; detail?: string }
  /** The session ended or went silent. */
  | { kind: 'lease-lost'; why: string }
  /** A real request found the server refusing or gone, or got no answer from it. */
  | { kind: 'bad-request'; why: string }
  /** It works on a real request for longer than it should: a probe tells slow from dead. */
  | { kind: 'silence'; why: string }
  /** Real requests failed in a row, `count` of them by now. */
  | { kind: 'failed-in-a-row'; count: number }
  /** Of the last `of` real requests, `failed` have failed. */
  | { kind: 'failed-share'; failed: number; of: number }
  /** A probe has cleared it, but `count` real requests had failed in a row. */
  | { kind: 'cleared'; count: number }
  /** A real request was answered with a wrong digest; only where answers are verified. */
  | { kind: 'wrong-answer' }
  | { kind: 'penalty-over' }
  | { kind: 'trial-passed' }
  | { kind: 'trial-failed'; why: string }
  /** Its policy has nobody else left. */
  | { kind: 'needed' }
  | { kind: 'leave' }
  | { kind: 'tick' };

export type Thresholds = {
  fall: number;
  rise: number;
  joinWithinMs: number;
  forgetAfterMs: number;
  /** So many real requests that fail in a row eject. */
  outlierFailures: number;
  /** Half of at least so many real requests of the last seconds that fail eject. */
  outlierRequests: number;
  penaltyMs: number;
  maxPenaltyMs: number;
  /** `fall` wrong answers within this time eject. */
  wrongAnswersWithinMs: number;
  /** So long in rotation without an ejection, and the next penalty is the first again. */
  forgiveEjectionsAfterMs: number;
};

export type Circumstances = {
  nowMs: number;
  /** Nobody else of its policy is ready: evidence from traffic may then not take it out. */
  isLastReady: boolean;
  /** From 0 to 1, for the jitter of the penalty. */
  random: number;
};

/** The state of a server that has just registered. */
export function newcomer(nowMs: number, why: string): Health {
  return {
    state: 'joining',
    sinceMs: nowMs,
    why,
    passes: 0,
    failures: 0,
    ejections: 0,
    penaltyEndsMs: 0,
    readySinceMs: 0,
    wrongAnswersMs: [],
    suspectedMs: [],
    clearFromMs: 0,
    silentSinceMs: Number.NEGATIVE_INFINITY,
  };
}

/** True for the states in which a server gets requests. */
export function isInRotation(state: State): boolean {
  return state === 'ready' || state === 'trial';
}

/**
 * One step of the health machine.
 * @returns the same object when nothing changed; another `state` in it is a flip
 */
export function step(health: Health, signal: Signal, thresholds: Thresholds, at: Circumstances): Health {
  switch (signal.kind) {
    case 'probe':
      if (signal.outcome === 'local') return health;
      return signal.outcome === 'pass'
        ? afterPass(health, signal.roundTripMs, thresholds, at)
        : afterFailure(health, signal.outcome, signal.detail ?? '', thresholds, at);
    case 'lease-lost':
      return afterLostLease(health, signal.why, at);
    case 'bad-request':
      return isInRotation(health.state) && !at.isLastReady
        ? flip(
            withSuspicion({ ...health, failures: health.failures + 1 }, at.nowMs),
            'suspect',
            signal.why,
            at,
          )
        : health;
    case 'silence':
      return afterSilence(health, signal.why, at);
    case 'failed-in-a-row':
      return health.state === 'ready' && signal.count >= thresholds.outlierFailures && !at.isLastReady
        ? eject(health, `${signal.count} real requests in a row failed`, thresholds, at)
        : health;
    case 'failed-share':
      return afterFailedShare(health, signal.failed, signal.of, thresholds, at);
    case 'cleared':
      return health.state === 'ready' && signal.count >= thresholds.outlierFailures && !at.isLastReady
        ? flip(health, 'trial', `${signal.count} real requests in a row failed: one more decides`, at)
        : health;
    case 'wrong-answer':
      return afterWrongAnswer(withWrongAnswer(health, thresholds, at.nowMs), thresholds, at);
    case 'penalty-over':
      return health.state === 'ejected'
        ? flip(health, 'trial', 'its penalty is over: one real request decides', at)
        : health;
    case 'trial-passed':
      return health.state === 'trial' ? flip(health, 'ready', 'its trial request was answered', at) : health;
    case 'trial-failed':
      return health.state === 'trial' ? afterFailedTrial(health, signal.why, thresholds, at) : health;
    case 'needed':
      if (health.state === 'suspect') return { ...health, clearFromMs: at.nowMs };
      return health.state === 'ejected'
        ? flip(health, 'ready', 'its policy has nobody else left', at)
        : health;
    case 'leave':
      return health.state === 'leaving' ? health : flip(health, 'leaving', 'it said that it is leaving', at);
    case 'tick':
      return afterWaiting(health, thresholds, at);
    default:
      return signal satisfies never;
  }
}

// A server in its penalty gets nothing anyway; through a cut session it must not come back before its time.
function afterLostLease(health: Health, why: string, at: Circumstances): Health {
  const failed = { ...health, failures: health.failures + 1 };
  if (isInRotation(health.state)) return flip(failed, 'suspect', why, at);
  return health.state === 'ejected' ? failed : health;
}

// Slow requests may come one after the other, and each probe says that the server lives: that must not keep it out.
function afterSilence(health: Health, why: string, at: Circumstances): Health {
  if (health.state !== 'ready' || at.isLastReady) return health;
  const isRecent = at.nowMs - health.silentSinceMs < SILENCE_COUNTS_AGAIN_MS;
  return isRecent ? health : flip({ ...health, silentSinceMs: at.nowMs }, 'suspect', why, at);
}

// Probes that pass clear a suspect within a millisecond, so it may be one or the other.
function afterFailedShare(
  health: Health,
  failed: number,
  of: number,
  thresholds: Thresholds,
  at: Circumstances,
): Health {
  const isHit = of >= thresholds.outlierRequests && failed * 2 >= of;
  const isServing = health.state === 'ready' || health.state === 'suspect';
  return isHit && isServing && !at.isLastReady
    ? eject(health, `${failed} of its last ${of} real requests failed`, thresholds, at)
    : health;
}

// An ejection does not clear the record: who lies again within the window goes with its first lie.
function afterWrongAnswer(health: Health, thresholds: Thresholds, at: Circumstances): Health {
  return health.state === 'ready' && isLiar(health, thresholds) && !at.isLastReady
    ? eject(health, lies(health, thresholds), thresholds, at)
    : health;
}

function afterFailedTrial(health: Health, why: string, thresholds: Thresholds, at: Circumstances): Health {
  const failed = `its trial request failed: ${why}`;
  return at.isLastReady
    ? flip(health, 'ready', `${failed}, but its policy has nobody else left`, at)
    : eject(health, failed, thresholds, at);
}

function afterPass(health: Health, roundTripMs: number, thresholds: Thresholds, at: Circumstances): Health {
  const passed = { ...health, failures: 0, passes: health.passes + 1 };
  const took = `${roundTripMs.toFixed(1)} ms`;
  switch (health.state) {
    case 'joining':
      return flip(passed, 'ready', `its first probe passed in ${took}`, at);
    case 'suspect':
      if (at.nowMs < health.clearFromMs) return passed;
      // It may answer probes and nothing else: one real request tells, before all others go there again.
      return health.sinceMs === health.silentSinceMs && !at.isLastReady
        ? flip(passed, 'trial', `a probe passed in ${took}: one real request decides`, at)
        : flip(passed, 'ready', `a probe passed in ${took}`, at);
    case 'evicted':
      return passed.passes >= thresholds.rise
        ? flip(passed, 'ready', `${passed.passes} probes in a row passed`, at)
        : passed;
    case 'ready':
    case 'trial':
    case 'ejected':
      return health.failures === 0 ? health : passed;
    case 'leaving':
    case 'forgotten':
      return health;
    default:
      return health.state satisfies never;
  }
}

function afterFailure(
  health: Health,
  outcome: Exclude<ProbeOutcome, 'pass'>,
  detail: string,
  thresholds: Thresholds,
  at: Circumstances,
): Health {
  if (outcome === 'local') return health;
  const failed = { ...health, passes: 0, failures: health.failures + 1 };
  const what = detail === '' ? outcome : `${outcome} (${detail})`;
  switch (health.state) {
    case 'joining':
      return { ...failed, why: `no probe has passed yet, the last: ${what}` };
    case 'evicted':
      return failed;
    case 'ready':
    case 'suspect':
    case 'trial':
    case 'ejected':
      if (outcome === 'refused') return flip(failed, 'evicted', refusal(health), at);
      if (outcome === 'somebody-else')
        return flip(failed, 'evicted', 'another server answers at its address', at);
      return failed.failures >= thresholds.fall
        ? flip(failed, 'evicted', evictionReason(health, failed, what), at)
        : failed;
    case 'leaving':
    case 'forgotten':
      return health;
    default:
      return health.state satisfies never;
  }
}

function refusal({ state, why }: Health): string {
  return state === 'suspect' ? `${why}, then it refused the probe` : 'it refused the probe';
}

function evictionReason(before: Health, failed: Health, what: string): string {
  return before.state === 'suspect'
    ? `${before.why}, then the probe failed: ${what}`
    : `${failed.failures} probes in a row failed, the last: ${what}`;
}

function afterWaiting(health: Health, thresholds: Thresholds, at: Circumstances): Health {
  const waitedMs = at.nowMs - health.sinceMs;
  if (health.state === 'joining' && waitedMs >= thresholds.joinWithinMs) {
    return flip(
      health,
      'forgotten',
      `no probe passed in the ${thresholds.joinWithinMs / 1000} s since it registered`,
      at,
    );
  }
  if (health.state === 'evicted' && waitedMs >= thresholds.forgetAfterMs) {
    return flip(health, 'forgotten', `it did not come back in ${thresholds.forgetAfterMs / 1000} s`, at);
  }
  return health;
}

function eject(health: Health, why: string, thresholds: Thresholds, at: Circumstances): Health {
  const { health: ejected, penaltyMs } = withEjection(health, thresholds, at);
  return flip(ejected, 'ejected', `${why}: out for ${(penaltyMs / 1000).toFixed(1)} s`, at);
}

function flip(health: Health, state: State, why: string, at: Circumstances): Health {
  return {
    ...health,
    state,
    why,
    sinceMs: at.nowMs,
    readySinceMs:
      state === 'trial' || (state === 'ready' && health.state !== 'suspect') ? at.nowMs : health.readySinceMs,
    passes: 0,
    failures: state === 'suspect' ? health.failures : 0,
  };
}
