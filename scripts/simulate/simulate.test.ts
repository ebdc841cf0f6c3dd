import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Job, runSeeds, type SeedResult } from './run.ts';
import { CAUSES, type Only } from './scenario.ts';

// Hundreds more are run behind `npm test`: npm run simulate -- --seeds 300.
const SEEDS = 60;
const COMMAND = join(import.meta.dirname, '../simulate.ts');
const STOPPED = join(import.meta.dirname, '../../test-support/simulate/stopped.ts');
const PLANT = join(import.meta.dirname, '../../test-support/simulate/plant.ts');

async function resultsOf(job: Partial<Job>): Promise<SeedResult[]> {
  const results: SeedResult[] = [];
  const { signal } = new AbortController();
  const onResult = (result: SeedResult): boolean => results.push(result) > 0;
  await runSeeds({ firstSeed: 1, count: SEEDS, only: () => null, signal, onResult, ...job });
  return results.toSorted((a, b) => a.seed - b.seed);
}

test(`the proxy keeps its promises in ${SEEDS} worlds`, async () => {
  const results = await resultsOf({});
  assert.deepEqual(
    results.map(({ seed }) => seed),
    Array.from({ length: SEEDS }, (_, at) => at + 1),
  );
  const broken = results.filter(({ violation }) => violation !== null);
  assert.deepEqual(broken, []);
  assert.ok(results.reduce((sum, { requests }) => sum + requests, 0) > SEEDS * 50);
});

test('each cause keeps its promises alone', async () => {
  const only = (seed: number) => CAUSES[seed % CAUSES.length] ?? null;
  for (const { seed, violation, reached } of await resultsOf({ count: 2 * CAUSES.length, only })) {
    assert.equal(
      violation,
      null,
      `${only(seed)}, seed ${seed}: ${violation?.invariant}: ${violation?.detail}`,
    );
    assert.deepEqual(Object.keys(reached.causes ?? {}), [only(seed)]);
  }
});

test('the same seed is the same world, line by line', async () => {
  const only = (seed: number): Only => (seed === 7 ? 'proxy-workers' : null);
  const job = { firstSeed: 7, count: 3, only, isTracing: true };
  const [first, second] = [await resultsOf(job), await resultsOf(job)];
  for (const [at, { log }] of first.entries()) {
    assert.ok(log.length > 50);
    assert.equal(log.join('\n'), second[at]?.log.join('\n'));
  }
});

test('the time in which the process is stopped is not counted as time of a seed', async () => {
  const limitMs = 4000;
  const seeds = 3;
  const args = [STOPPED, String(seeds), String(limitMs)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  await once(lines, 'line');
  child.kill('SIGSTOP');
  // Each thread adds its own limit to that of the process.
  await sleep(limitMs * Math.min(seeds, availableParallelism()) * 1.1);
  child.kill('SIGCONT');
  const [findings] = await once(lines, 'line');
  assert.equal(findings, '[]');
});

/** Runs the command until it has told of some seeds, and interrupts it. */
async function interrupted(
  flags: readonly string[],
  planted?: string,
): Promise<{ code: number; text: string }> {
  // Without a cause a world takes half the time.
  const args = [...flags, COMMAND, '--seeds', '100000', '--cause', 'none', '--json'];
  const env = { ...process.env, ...(planted === undefined ? {} : { PLANTED: planted }) };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    if (/\d+ of 100000/.test(chunk)) child.kill('SIGINT');
  });
  const [code] = await once(child, 'close');
  return { code, text };
}

test('interrupted, the command prints one document about the seeds that were run', async () => {
  const { code, text } = await interrupted([]);
  const { verdict, seeds, failures } = JSON.parse(text);
  assert.deepEqual([code, verdict, failures], [130, 'interrupted', []]);
  assert.ok(seeds >= 20, `${seeds} seeds`);
});

test('interrupted after a finding, the command has failed and prints the finding', async () => {
  const { code, text } = await interrupted(['--import', PLANT], 'the turn does not move on');
  const { verdict, failures } = JSON.parse(text);
  assert.deepEqual([code, verdict], [1, 'fail']);
  assert.equal(failures[0].violation.invariant, 'round robin');
});
