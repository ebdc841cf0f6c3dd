// shell · runs the proxy twice, once to look at its heap from within and once under a tracer.
// Must never take a value from a run in which something else happened: it is made again, or there is none.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure } from '../../scripts/kit/failure.ts';
import { type Measured, SCENARIOS, type Scenario, type Value } from './bounds.ts';
import { countCalls, describeCalls, totalCalls } from './calls.ts';
import { requestsOf } from './client.ts';
import type { Reading } from './reading.ts';
import { FIRST_TIMES, WORK } from './scenarios.ts';
import { type Subject, startSubject } from './subject.ts';
import type { Tracer } from './tracer.ts';

const TRIES = 3;
const NO_COUNTERS = 'this system does not count reads and writes (/proc/self/io)';

/**
 * What each scenario costs a proxy, per request.
 * @throws Failure when the heap can't be measured
 */
export async function measureAll(tracer: Tracer, signal: AbortSignal): Promise<Measured> {
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

async function readHeap(subject: Subject, scenario: Scenario): Promise<Reading> {
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
  const directory = await mkdtemp(join(tmpdir(), 'policy-proxy-guard-'));
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
  options: Parameters<typeof startSubject>[0],
  work: (subject: Subject) => Promise<T>,
): Promise<T> {
  const subject = await startSubject(options);
  try {
    return await work(subject);
  } finally {
    await subject.stop();
  }
}
