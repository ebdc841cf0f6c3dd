// seam · what the benchmark and its measuring process say to each other.
// Must never hold anything but plain data: it goes from process to process.
import type { FailureExitCode } from '../kit/failure.ts';
import type { GrowthOptions, GrowthResult } from './growth/index.ts';
import type { NativePrograms } from './native.ts';
import type { PlannedRun } from './plan.ts';
import type { RunRecord } from './result.ts';
import type { ArenaPlan } from './targets/index.ts';

/** The one thing that a measuring process is started for. */
export type Order =
  | { kind: 'series'; plan: readonly PlannedRun[]; arena: ArenaPlan; seconds: number }
  | { kind: 'growth'; programs: NativePrograms; options: GrowthOptions };

/** What it says while it is at it; `done` or `failed` is the last word. */
export type Word =
  | { kind: 'phase' | 'line'; text: string }
  | { kind: 'record'; record: RunRecord }
  | { kind: 'growth'; result: GrowthResult }
  | { kind: 'failed'; what: string; next: string; tail: string; exitCode: FailureExitCode }
  | { kind: 'done' };
