// A run of the load generator whose records are kept, and proven to say the same as its result.
import assert from 'node:assert/strict';
import type { RequestRecord } from '../scripts/load/exchange.ts';
import { type LoadObservers, runLoad } from '../scripts/load/generator.ts';
import type { LoadOptions } from '../scripts/load/options.ts';
import type { Counts, LoadResult } from '../scripts/load/result.ts';
import { optionsFor, type Script, startScriptedProxy } from './scripted-proxy.ts';

export type RecordedRun = { result: LoadResult; records: RequestRecord[] };

type Watch = { onProgress?: LoadObservers['onProgress']; signal?: AbortSignal };

/** Runs, and asserts that counts and records add up. */
export async function runRecorded(
  options: LoadOptions,
  { onProgress = () => {}, signal = new AbortController().signal }: Watch = {},
): Promise<RecordedRun> {
  const records: RequestRecord[] = [];
  const onRequest = (record: RequestRecord) => void records.push(record);
  const result = await runLoad(options, { onProgress, onRequest }, signal);
  assertAddsUp(result, records);
  return { result, records };
}

/** The same against a scripted proxy that is there for this run only. */
export async function recordAgainst(
  script: Script,
  changes: Partial<LoadOptions> = {},
  watch: Watch = {},
): Promise<RecordedRun> {
  const proxy = await startScriptedProxy(script);
  try {
    return await runRecorded(optionsFor(proxy.port, changes), watch);
  } finally {
    proxy.close();
  }
}

function assertAddsUp(result: LoadResult, records: RequestRecord[]): void {
  assertCounts(result, records);
  for (const [policy, counts] of Object.entries(result.policies)) {
    assertCounts(
      counts,
      records.filter((record) => record.policy === policy),
    );
  }
  assert.equal(records.length, result.due);
  assert.equal(records.filter(({ attempts }) => attempts > 1).length, result.retried);
  assert.equal(
    records.reduce((sum, { attempts }) => sum + attempts, 0),
    result.attempts,
  );
  assertTimes(result, records);
}

function assertCounts(counts: Counts, records: RequestRecord[]): void {
  const { ok, wrong, errorReplies, lost, dropped } = counts;
  const byOutcome = tallied(records.map(({ outcome }) => outcome));
  assert.deepEqual(byOutcome, withoutZeros({ ok, wrong, error: errorReplies, lost, dropped }));
  const details = (...wanted: string[]) =>
    tallied(records.filter(({ outcome }) => wanted.includes(outcome)).map(({ detail }) => detail));
  assert.deepEqual(details('error'), counts.errors);
  assert.deepEqual(details('lost'), counts.lostBy);
  assert.deepEqual(details('dropped'), counts.droppedBy);
  const servers = Object.entries(counts.servers).map(([id, { answers }]) => [id, answers]);
  assert.deepEqual(details('ok', 'wrong'), Object.fromEntries(servers));
}

function assertTimes({ options, startedAt, latencyMs }: LoadResult, records: RequestRecord[]): void {
  const due = records.map(({ dueEpochMs }) => dueEpochMs).sort((a, b) => a - b);
  const firstMs = due[0] ?? 0;
  due.forEach((dueMs, index) => {
    // An epoch with its fraction leaves a double no more than a quarter of a microsecond.
    assert.ok(Math.abs(dueMs - firstMs - (index * 1000) / options.rate) < 0.001, `request ${index}`);
  });
  // `startedAt` follows the machine's clock and is cut to whole milliseconds.
  if (records.length > 0) assert.ok(Math.abs(firstMs - Date.parse(startedAt)) < 1000, startedAt);
  const slowestMs = Math.max(0, ...records.filter(({ outcome }) => outcome === 'ok').map((r) => r.latencyMs));
  assert.ok(Math.abs(slowestMs - latencyMs.max) <= 0.01 + slowestMs * 0.002, `${slowestMs} ${latencyMs.max}`);
  for (const record of records) assertFirst(record);
}

function assertFirst({ first, attempts, latencyMs, dueEpochMs }: RequestRecord): void {
  assert.ok(latencyMs >= 0);
  assert.equal(first !== null, attempts > 1);
  if (first === null) return;
  assert.ok(first.outcome === 'lost' || first.outcome === 'error', first.outcome);
  assert.ok(first.sentEpochMs >= dueEpochMs);
  assert.ok(dueEpochMs + first.endedMs >= first.sentEpochMs - 0.001);
  assert.ok(first.endedMs <= latencyMs);
  assert.ok((first.openedEpochMs ?? 0) <= dueEpochMs + first.endedMs + 0.001);
}

function tallied(names: string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function withoutZeros(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}
