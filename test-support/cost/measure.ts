// Runs the proxy twice, once to look at its heap from within and once under a tracer.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure } from '../../scripts/kit/failure.ts';
import { type Measured, SCENARIOS, type Scenario, type Value } from './bounds.ts';
import { type Lockstep, requestsOf } from './client.ts';
import type { Reading } from './marks.ts';
import { type MeasuredProxy, startMeasuredProxy } from './measured-proxy.ts';
import { countCalls, describeCalls, prepareTracer, totalCalls } from './system-calls.ts';

const PIPELINE_DEPTH = 64;
const onEach = (connections: number): Lockstep => ({ connections, rounds: 1, depth: 1 });
const onOne = (rounds: number, depth: number): Lockstep => ({ connections: 1, rounds, depth });

type Work = {
  /** Until everything is loaded, and V8 has seen what it remembers of each call. */
  warmUp: Lockstep;
  /** For the heap. */
  measured: Lockstep;
  /** For the system calls, which a tracer slows down; they are the same each time. */
  traced: Lockstep;
};

/** So many that a heartbeat or the sweep of deadlines, which come with the clock, can't be seen in a bound. */
export const WORK: Readonly<Record<Scenario, Work>> = {
  oneshot: { warmUp: onEach(700), measured: onEach(700), traced: onEach(200) },
  keep: { warmUp: onOne(700, 1), measured: onOne(1500, 1), traced: onOne(300, 1) },
  pipelined: {
    warmUp: onOne(20, PIPELINE_DEPTH),
    measured: onOne(75, PIPELINE_DEPTH),
    traced: onOne(60, PIPELINE_DEPTH),
  },
};

// Before a trace: what happens only the first time.
const FIRST_TIMES = 20;
const TRIES = 3;
const NO_COUNTERS = 'this system does not count reads and writes (/proc/self/io)';

/**
 * What each scenario costs a proxy, per request.
 * @throws Failure when the heap can't be measured
 */
export async function measureAll(signal: AbortSignal): Promise<Measured> {
  const tracer = await prepareTracer();
  const readings = await withSubject({ signal }, (subject) =>
    forEachScenario((each) => readHeap(subject, each)),
  );
  const calls =
    'why' in tracer
      ? await forEachScenario(async () => ({ value: null, note: tracer.why }))
      : await traceCalls(tracer.command, signal);
  return await forEachScenario(async (scenario) => {
    const { heapBytes, readsAndWrites } = readings[scenario];
    const requests = requestsOf(WORK[scenario].measured);
    return {
      heapBytes: { value: heapBytes / requests, note: '' },
      systemCalls: calls[scenario],
      readsAndWrites:
        readsAndWrites === null
          ? { value: null, note: NO_COUNTERS }
          : { value: readsAndWrites / requests, note: '' },
    };
  });
}

async function readHeap(subject: MeasuredProxy, scenario: Scenario): Promise<Reading> {
  const { warmUp, measured } = WORK[scenario];
  await subject.warmUp(warmUp);
  for (let tried = 0; tried < TRIES; tried += 1) {
    const reading = await subject.measure(scenario, measured);
    // What has been collected can't be counted any more.
    if (reading.collections === 0) return reading;
  }
  throw new Failure(
    `The heap could not be measured (${scenario}): garbage was collected each of ${TRIES} times.`,
    'Nothing was found out. Does a request allocate so much that 128 MiB do not last?',
    { exitCode: 3 },
  );
}

async function traceCalls(command: readonly string[], signal: AbortSignal): Promise<Record<Scenario, Value>> {
  const directory = await mkdtemp(join(tmpdir(), 'policy-proxy-cost-'));
  const file = join(directory, 'trace');
  try {
    await withSubject({ tracer: [...command, file], signal }, (subject) =>
      forEachScenario(async (scenario) => {
        const { traced } = WORK[scenario];
        await subject.warmUp({ connections: FIRST_TIMES, rounds: 1, depth: traced.depth });
        await subject.measure(scenario, traced);
      }),
    );
    const trace = await readFile(file, 'latin1');
    return await forEachScenario(async (scenario) => {
      const counts = countCalls(trace, scenario);
      const requests = requestsOf(WORK[scenario].traced);
      return { value: totalCalls(counts) / requests, note: describeCalls(counts, requests) };
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

// One after the other: they share a proxy.
async function forEachScenario<T>(work: (scenario: Scenario) => Promise<T>): Promise<Record<Scenario, T>> {
  const made: Partial<Record<Scenario, T>> = {};
  for (const scenario of SCENARIOS) made[scenario] = await work(scenario);
  return made as Record<Scenario, T>;
}

async function withSubject<T>(
  options: Parameters<typeof startMeasuredProxy>[0],
  work: (subject: MeasuredProxy) => Promise<T>,
): Promise<T> {
  const subject = await startMeasuredProxy(options);
  try {
    return await work(subject);
  } finally {
    await subject.stop();
  }
}
