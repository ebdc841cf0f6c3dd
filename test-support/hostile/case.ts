// What a hostile case is, and how it runs as a test: its figures are printed, and a machine too busy to tell skips it.
import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { TestContext } from 'node:test';
import { CannotTell } from '../../scripts/kit/verdict.ts';
import { Scene, type Size } from './scene.ts';

const NS_PER_MS = 1e6;
const LAG_RESOLUTION_MS = 5;
const USUAL_TOLERANCE_MS = 300;

/** One thing that has to hold: what was seen, what passes, and whether it does. */
export type Check = { seen: string; bar: string; holds: boolean };

export type HostileCase = {
  /** The row and a word, such as `d7-burst`. */
  name: string;
  /** What is hostile about it, in one sentence. */
  about: string;
  /** Minutes or latencies decide: it is no part of `npm test`. The others are decided by counts, within seconds. */
  isMeasured?: boolean;
  /** A failure proves nothing when this process was held up for longer at once, ms; 300 unless given. */
  toleratesMs?: number;
  run(scene: Scene): Promise<Check[]>;
};

/** `unknown`: why the checks prove nothing; empty when they do. */
export type CaseResult = { checks: Check[]; unknown: string };

/**
 * Runs a case to its end and stops everything that it has started.
 * @throws what the case throws, except that it cannot tell
 */
export async function runCase(one: HostileCase, size: Size, signal: AbortSignal): Promise<CaseResult> {
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  const scene = new Scene(size, signal);
  try {
    const checks = await one.run(scene);
    const lagMs = Math.round(lag.max / NS_PER_MS - LAG_RESOLUTION_MS);
    const isExcused = !holdsAll(checks) && lagMs > (one.toleratesMs ?? USUAL_TOLERANCE_MS);
    return { checks, unknown: isExcused ? `this process itself was held up for ${lagMs} ms` : '' };
  } catch (error) {
    if (error instanceof CannotTell) return { checks: [], unknown: error.message };
    throw error;
  } finally {
    lag.disable();
    await scene.close();
  }
}

/** Runs a case as the test `t`: it passes, fails, or is skipped with the reason why it could not tell. */
export async function testCase(t: TestContext, one: HostileCase, size: Size): Promise<void> {
  const { checks, unknown } = await runCase(one, size, t.signal);
  const figures = formatChecks(checks);
  if (figures !== '') t.diagnostic(`${one.name}: ${figures}`);
  if (unknown === '') assert.ok(holdsAll(checks), figures);
  else t.skip(unknown);
}

/** `150 of 150 answered (bar: 150) · 1 evicted (bar: at most 0), which does not hold`. */
export function formatChecks(checks: readonly Check[]): string {
  return checks
    .map(({ seen, bar, holds }) => `${seen} (bar: ${bar})${holds ? '' : ', which does not hold'}`)
    .join(' · ');
}

/** A check of a count that must be exactly `wanted`: `150 of 150 answered`. */
export function exactly(count: number, wanted: number, what: string, details = ''): Check {
  const seen = `${count} of ${wanted} ${what}${details && ` (${details})`}`;
  return { seen, bar: String(wanted), holds: count === wanted };
}

/** A check of a number that must not be above `most`. */
export function atMost(value: number, most: number, what: string): Check {
  return { seen: `${Math.round(value * 10) / 10} ${what}`, bar: `at most ${most}`, holds: value <= most };
}

function holdsAll(checks: readonly Check[]): boolean {
  return checks.every(({ holds }) => holds);
}
