// shell · one soak from its start to its end: warm up, rest, load with churn, calm, rest again.
// Must never throw away what was seen: an interruption and a proxy that ends are a part of what is reported.

import { POLICIES } from '../chaos/plan.ts';
import type { Progress } from '../kit/progress.ts';
import { type LoadProcess, startLoad } from '../load/load-process.ts';
import { type Churn, startChurn } from './churn.ts';
import type { Rest, Soak } from './journal.ts';
import type { SoakOptions } from './options.ts';
import { pauseOr } from './pause.ts';
import { makePlan, residents } from './plan.ts';
import { Recorder } from './recorder.ts';
import { takeRest } from './rest.ts';
import { type Stage, startStage } from './stage.ts';
import { describeNow } from './text.ts';

// Long enough for a request to every server, so that the proxy's connections to them stand.
const CALM_MS = 2_000;
const TELL_EVERY_MS = 30_000;
const MS_PER_MINUTE = 60_000;

type Wanted = Pick<SoakOptions, 'minutes' | 'rate' | 'seed'>;

/** What is known so far; each part of the run adds to it. */
type Seen = {
  churn: Churn | null;
  churnMs: number;
  endedMs: number;
  before: Rest | null;
  after: Rest | null;
  strayAnswers: number;
  proxyEnded: string | null;
  problems: string[];
};

/**
 * Runs a soak.
 * @throws Failure when it could not begin; the signal's reason when it was interrupted by then
 */
export async function runSoak(wanted: Wanted, progress: Progress, signal: AbortSignal): Promise<Soak> {
  const startedAt = new Date().toISOString();
  progress.phase('starting a proxy and its servers');
  const stage = await startStage(signal);
  const recorder = new Recorder();
  const seen: Seen = {
    churn: null,
    churnMs: 0,
    endedMs: 0,
    before: null,
    after: null,
    strayAnswers: 0,
    proxyEnded: null,
    problems: [],
  };
  // The run ends early for a person, and when there is no proxy any more.
  const ending = new AbortController();
  const until = AbortSignal.any([signal, ending.signal]);
  let isOver = false;
  void stage.proxy.ended.then((how) => {
    if (isOver) return;
    seen.proxyEnded = `it ended: ${how}. ${stage.proxy.tail()}`.trim();
    ending.abort();
  });
  try {
    await carryOut(wanted, { stage, recorder, seen, progress }, until);
  } catch (error) {
    if (seen.before === null && seen.proxyEnded === null) throw error;
    if (!until.aborted) seen.problems.push((error as Error).message);
  } finally {
    isOver = true;
    await stage.stop();
  }
  return {
    version: 1,
    startedAt,
    seed: wanted.seed,
    rate: wanted.rate,
    plannedMs: wanted.minutes * MS_PER_MINUTE,
    churnMs: seen.churnMs,
    endedMs: seen.endedMs,
    samples: recorder.samples,
    deeds: seen.churn?.deeds ?? [],
    counts: recorder.counts,
    errors: recorder.errors,
    faults: recorder.faults,
    strayAnswers: seen.strayAnswers,
    before: seen.before,
    after: seen.after,
    living: residents().map(({ server, policy }) => `${policy}/${server}`),
    proxyEnded: seen.proxyEnded,
    problems: [...new Set([...seen.problems, ...(seen.churn?.problems ?? []), ...stage.problems])],
    cutShort: signal.aborted ? 'interrupted' : null,
  };
}

type Scene = { stage: Stage; recorder: Recorder; seen: Seen; progress: Progress };

async function carryOut(wanted: Wanted, scene: Scene, signal: AbortSignal): Promise<void> {
  const { stage, seen, progress } = scene;
  await stage.whole(signal);
  progress.phase('warming up');
  await underLoad(wanted, scene, signal, (until) => pauseOr(CALM_MS, until));
  signal.throwIfAborted();
  seen.before = await takeRest(stage, null, signal);
  await underLoad(wanted, scene, signal, (until) => soak(wanted, scene, until));
  signal.throwIfAborted();
  progress.phase('waiting until it rests');
  seen.after = await takeRest(stage, seen.before, signal);
}

async function soak(wanted: Wanted, scene: Scene, signal: AbortSignal): Promise<void> {
  const { stage, recorder, seen, progress } = scene;
  const durationMs = wanted.minutes * MS_PER_MINUTE;
  const plan = makePlan(wanted.seed, durationMs);
  const sampling = new AbortController();
  recorder.begin();
  const churn = startChurn({ plan, durationMs, stage, signal });
  seen.churn = churn;
  let nextPhaseMs = 0;
  const onSample = (sample: (typeof recorder.samples)[number]): void => {
    const now = describeNow(sample, recorder.counts, durationMs, churn.deeds.at(-1));
    if (sample.atMs < nextPhaseMs) {
      progress.line(now);
      return;
    }
    nextPhaseMs += TELL_EVERY_MS;
    progress.phase(now);
  };
  const sampled = recorder.keepSampling(stage, onSample, sampling.signal);
  try {
    await churn.over;
    seen.churnMs = recorder.elapsedMs();
    if (signal.aborted) return;
    progress.phase('calming down');
    // Who is missing after that is missing in the table at rest too, and judged there.
    await stage.whole(signal).catch(() => {});
    await pauseOr(CALM_MS, signal);
  } finally {
    sampling.abort();
    await sampled;
    seen.endedMs = recorder.elapsedMs();
  }
}

// The load always ends before the proxy does, or its end would cost requests.
async function underLoad(
  wanted: Wanted,
  { stage, recorder, seen }: Scene,
  signal: AbortSignal,
  work: (until: AbortSignal) => Promise<void>,
): Promise<void> {
  const load = startLoad(loadArguments(wanted, stage.proxy.port), (request) => recorder.onRequest(request));
  const broken = new AbortController();
  load.failed.catch((error: Error) => broken.abort(error));
  try {
    await load.started;
    await work(AbortSignal.any([signal, broken.signal]));
    broken.signal.throwIfAborted();
  } finally {
    await endLoad(load, seen);
  }
}

async function endLoad(load: LoadProcess, seen: Seen): Promise<void> {
  try {
    const { strayAnswers } = await load.stop();
    seen.strayAnswers += strayAnswers;
  } catch (error) {
    seen.problems.push((error as Error).message);
  }
}

function loadArguments({ rate }: Wanted, port: number): string[] {
  const options = {
    proxy: `127.0.0.1:${port}`,
    rate,
    // It is told when to end; this is the longest that can be asked for.
    duration: 86_400,
    policies: POLICIES.join(','),
  };
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
}
