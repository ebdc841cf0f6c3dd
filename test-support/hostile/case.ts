// What a hostile case is, and how its checks become a verdict.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { CannotTell, type Verdict } from '../../scripts/kit/verdict.ts';
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
  /** A failure proves nothing when this process was held up for longer at once, ms; 300 unless told otherwise. */
  toleratesMs?: number;
  run(scene: Scene): Promise<Check[]>;
};

export type CaseResult = {
  name: string;
  verdict: Verdict;
  checks: Check[];
  /** Why the verdict is unknown; else empty. */
  note: string;
  /** The longest that this process was held up at once. */
  lagMs: number;
};

/** Runs a case to its end and stops everything that it has started. @throws the signal's reason when that fires */
export async function runCase(one: HostileCase, size: Size, signal: AbortSignal): Promise<CaseResult> {
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  const scene = new Scene(size, signal);
  let checks: Check[] = [];
  let note = '';
  try {
    checks = await one.run(scene);
  } catch (error) {
    const { message, tail } = error as Error & { tail?: string };
    const lines = `it could not be run: ${message} ${tail?.split('\n').at(-1) ?? ''}`;
    note = error instanceof CannotTell ? message : lines.trim();
  } finally {
    lag.disable();
    await scene.close();
  }
  signal.throwIfAborted();
  const lagMs = Math.round(lag.max / NS_PER_MS - LAG_RESOLUTION_MS);
  const isGood = checks.every(({ holds }) => holds);
  if (!isGood && lagMs > (one.toleratesMs ?? USUAL_TOLERANCE_MS))
    note = `this process itself was held up for ${lagMs} ms`;
  const verdict = note !== '' ? 'unknown' : isGood ? 'pass' : 'fail';
  return { name: one.name, verdict, checks, note, lagMs };
}

/** `d7-burst  150 of 150 answered · 0 evicted  (bar: 150 · at most 0)  pass` */
export function formatResult({ name, verdict, checks, note }: CaseResult): string {
  const seen = checks.map((check) => check.seen).join(' · ');
  const bars = checks.map(({ bar }) => bar).join(' · ');
  const measured = checks.length === 0 ? '' : `${seen}  (bar: ${bars})  `;
  return `${name.padEnd(22)}  ${measured}${verdict}${note && `: ${note}`}`;
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
