// What a hostile case is, and how its checks become a verdict.
import type { Verdict } from '../chaos/journal.ts';
import { CannotTell } from '../chaos/judge/criterion.ts';
import type { Reading } from './pace.ts';
import { Scene, type Size } from './scene.ts';

/** One thing that has to hold: what was seen, what passes, and whether it does. */
export type Check = { seen: string; bar: string; holds: boolean };

export type HostileCase = {
  /** The row and a word, such as `d7-burst`. */
  name: string;
  /** What is hostile about it, in one sentence. */
  about: string;
  /** Counts decide, within seconds: it is part of `npm test` in its small form. */
  isCounted: boolean;
  /** A failure proves nothing when the machine stood still for longer than this, ms. */
  toleratesMs: number;
  run(scene: Scene): Promise<Check[]>;
};

export type CaseResult = {
  name: string;
  verdict: Verdict;
  checks: Check[];
  /** Why the verdict is unknown; else empty. */
  note: string;
  machine: Reading;
  seconds: number;
};

/** Runs a case to its end and stops everything that it has started. @throws the signal's reason when that fires */
export async function runCase(one: HostileCase, size: Size, signal: AbortSignal): Promise<CaseResult> {
  const startedMs = performance.now();
  const scene = await Scene.open(size, signal);
  let checks: Check[] = [];
  let problem = '';
  try {
    checks = await one.run(scene);
  } catch (error) {
    signal.throwIfAborted();
    problem = error instanceof CannotTell ? error.message : `it could not be run: ${textOf(error)}`;
  } finally {
    await scene.close();
  }
  signal.throwIfAborted();
  const machine = scene.pace.read();
  const isSlow = machine.worstMs > one.toleratesMs;
  const isGood = checks.every(({ holds }) => holds);
  const note =
    problem ||
    (isSlow && !isGood ? `the machine itself stood still for ${Math.round(machine.worstMs)} ms` : '');
  const verdict = note !== '' ? 'unknown' : isGood ? 'pass' : 'fail';
  return { name: one.name, verdict, checks, note, machine, seconds: (performance.now() - startedMs) / 1000 };
}

/** `d7-burst  150 of 150 answered · 0 evicted  (bar: 150 · 0)  pass` */
export function formatResult({ name, verdict, checks, note }: CaseResult): string {
  const seen = checks.map((check) => check.seen).join(' · ');
  const bars = checks.map(({ bar }) => bar).join(' · ');
  const measured = checks.length === 0 ? '' : `${seen}  (bar: ${bars})  `;
  return `${name.padEnd(20)}  ${measured}${verdict}${note && `: ${note}`}`;
}

/** A check of a count that must be exactly `wanted`: `150 of 150 answered`. */
export function all(count: number, wanted: number, what: string, details = ''): Check {
  const seen = `${count} of ${wanted} ${what}${details && ` (${details})`}`;
  return { seen, bar: String(wanted), holds: count === wanted };
}

/** A check of a number that must not be above `most`. */
export function atMost(value: number, most: number, what: string): Check {
  return { seen: `${Math.round(value * 10) / 10} ${what}`, bar: `at most ${most}`, holds: value <= most };
}

function textOf(error: unknown): string {
  const { message, tail } = error as Error & { tail?: string };
  return `${message} ${tail?.split('\n').at(-1) ?? ''}`.trim();
}
