// shell · one row of the growth by servers or policies: a proxy with many beside a proxy with six.
// Must never leave a subject running, or hide what disturbed a row: it is noted.

import { residentBytes } from '../../kit/process-cost.ts';
import { trackedShare } from '../../kit/tracked.ts';
import type { NativePrograms } from '../native.ts';
import { costResults, idleResult, type Round } from './arithmetic.ts';
import {
  type Case,
  DEFAULT_HEALTH_INTERVAL_MS,
  isFlood,
  NO_PROBES_INTERVAL_MS,
  SIX_SERVERS,
} from './cases.ts';
import { notesOn } from './notes.ts';
import type { CaseResult, Observed } from './result.ts';
import { sampleIdle, sampleRound, warmUp } from './sampling.ts';
import { type Subject, type SubjectPlan, startSubject } from './subject.ts';
import { pause, waitUntil } from './waiting.ts';

const SIX: SubjectPlan = { ...SIX_SERVERS, healthIntervalMs: DEFAULT_HEALTH_INTERVAL_MS };
const SETTLE_MS = 2_000;
const RESTING_SECONDS = 3;
// A closed connection is tracked for two minutes.
const FORGOTTEN_MS = 130_000;
const ROOM_SHARE = 0.25;

export type Measurement = { programs: NativePrograms; seconds: number; signal: AbortSignal };
type Measured = { own: Round[]; six: Round[]; observed: Observed };

/**
 * Measures one row.
 * @throws NotManaged when this machine can't have so many servers, or a Failure
 */
export async function measureCase(one: Case, measurement: Measurement): Promise<CaseResult> {
  const { signal } = measurement;
  const withoutProbes = await restingShare(one, signal);
  if (isFlood(one)) await waitUntil(() => trackedShare() <= ROOM_SHARE, FORGOTTEN_MS, signal);
  const { own, six, observed } = isFlood(one)
    ? await measureAround(one, measurement)
    : await measureInTurn(one, measurement);
  const { servers, policies, healthIntervalMs, arrangement } = one;
  const result = {
    ...{ servers, policies, healthIntervalMs, arrangement },
    ...observed,
    idle: idleResult(
      own.map((round) => round.idle),
      withoutProbes,
    ),
    costs: costResults(own, six),
  };
  return { ...result, notes: notesOn(result) };
}

// What the proxy takes for its servers when it probes none of them: heartbeats, and looking round.
async function restingShare(one: Case, signal: AbortSignal): Promise<number> {
  const plan = { ...planOf(one), healthIntervalMs: NO_PROBES_INTERVAL_MS };
  return await withSubject(plan, signal, async (subject) => {
    const [idle] = await sampleIdle([subject], RESTING_SECONDS, signal);
    return idle?.cpuShare ?? Number.NaN;
  });
}

async function measureInTurn(one: Case, measurement: Measurement): Promise<Measured> {
  const { signal } = measurement;
  return await withSubject(SIX, signal, async (sixSubject) => {
    return await withSubject(planOf(one), signal, async (subject) => {
      const [six = [], own = []] = await collect([sixSubject, subject], one.pairs, measurement);
      return { own, six, observed: observe(subject) };
    });
  });
}

async function measureAround(one: Case, measurement: Measurement): Promise<Measured> {
  const { signal } = measurement;
  const sixAlone = async (rounds: number): Promise<Round[]> => {
    if (rounds === 0) return [];
    return await withSubject(SIX, signal, async (subject) => {
      return (await collect([subject], rounds, measurement)).flat();
    });
  };
  const before = await sixAlone(Math.ceil(one.pairs / 2));
  const { own, observed } = await withSubject(planOf(one), signal, async (subject) => {
    return { own: (await collect([subject], one.pairs, measurement)).flat(), observed: observe(subject) };
  });
  return { own, observed, six: [...before, ...(await sixAlone(Math.floor(one.pairs / 2)))] };
}

// The rounds of each subject; every other round goes the other way, so that nobody is always the second.
async function collect(
  subjects: readonly Subject[],
  count: number,
  { programs, seconds, signal }: Measurement,
): Promise<Round[][]> {
  for (const subject of subjects) await warmUp(programs, subject, signal);
  const rounds: Round[][] = [];
  for (let made = 0; made < count; made += 1) {
    rounds.push(await sampleRound(programs, subjects, { seconds, isReversed: made % 2 === 1 }, signal));
  }
  return subjects.map((_, at) => rounds.map((round) => round[at] as Round));
}

async function withSubject<T>(
  plan: SubjectPlan,
  signal: AbortSignal,
  use: (subject: Subject) => Promise<T>,
): Promise<T> {
  const subject = await startSubject(plan, signal);
  try {
    await pause(SETTLE_MS, signal);
    return await use(subject);
  } finally {
    await subject.stop();
  }
}

// What can be read only while it runs.
function observe(subject: Subject): Observed {
  return {
    openFiles: Number.isFinite(subject.openFiles) ? subject.openFiles : null,
    sessions: subject.sessions,
    proxyArguments: subject.proxyArguments,
    registeredSeconds: subject.registeredSeconds,
    readySeconds: subject.readySeconds,
    residentBytes: residentBytes([subject.proxyPid]),
    readyServers: subject.rotation.ready,
    departures: subject.rotation.departures,
    trackedShare: trackedShare(),
  };
}

function planOf({ servers, policies, healthIntervalMs }: Case): SubjectPlan {
  return { servers, policies, healthIntervalMs };
}
