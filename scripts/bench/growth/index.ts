// shell · growth: what a request, a probe and an idle client cost when there are many servers, policies or clients.
// Must never measure two rows at the same time, or lose the other rows because one can't be had.
import { Failure } from '../../kit/failure.ts';
import type { Progress } from '../../kit/progress.ts';
import type { NativePrograms } from '../native.ts';
import { type Case, nameOf, planCases, smallerFlood } from './cases.ts';
import { measureCase } from './measure-case.ts';
import { measureClients } from './measure-clients.ts';
import type { CaseResult, GrowthOptions, GrowthResult, SkippedCase } from './result.ts';
import { NotManaged } from './subject.ts';

export { DEFAULT_GROWTH, type GrowthOptions, type GrowthPart, type GrowthResult } from './result.ts';
export { formatGrowth } from './tables.ts';

const CLIENT_REPETITIONS = 3;

type Row = CaseResult | SkippedCase;

/**
 * Measures the growth, row by row, each on a proxy process of its own. Takes some twelve minutes with the defaults.
 * @param programs from `prepareNative`
 * @throws Failure when the machine is not Linux, or the signal's reason
 */
export async function measureGrowth(
  programs: NativePrograms,
  options: GrowthOptions,
  progress: Progress,
): Promise<GrowthResult> {
  if (process.platform !== 'linux') {
    throw new Failure(
      `Growth is measured on Linux only, and this is ${process.platform}.`,
      'Run it on Linux: it takes /proc, and every address of 127.0.0.0/8.',
      { exitCode: 2 },
    );
  }
  // The floods are the last of the cases: what comes after them would meet what they leave in the kernel.
  const clients = options.parts.includes('clients')
    ? await measureClients(options.clientCounts, Math.min(options.pairs, CLIENT_REPETITIONS), progress)
    : [];
  const rows: Record<Case['part'], Row[]> = { servers: [], policies: [] };
  for (const one of planCases(options)) {
    rows[one.part].push(...(await measureRows(one, programs, options.seconds, progress)));
  }
  const inOrder = (part: Case['part']): Row[] =>
    rows[part].sort((a, b) => a.servers - b.servers || a.healthIntervalMs - b.healthIntervalMs);
  return { options, servers: inOrder('servers'), policies: inOrder('policies'), clients };
}

// One row; of a flood as many as it takes to find what the machine manages.
async function measureRows(
  first: Case,
  programs: NativePrograms,
  seconds: number,
  progress: Progress,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (let one: Case | null = first; one !== null; ) {
    progress.phase(nameOf(one));
    const row = await measureOrSkip(one, programs, seconds, progress.signal);
    rows.push(row);
    one = 'skipped' in row ? smallerFlood(one) : null;
  }
  return rows;
}

async function measureOrSkip(
  one: Case,
  programs: NativePrograms,
  seconds: number,
  signal: AbortSignal,
): Promise<Row> {
  try {
    return await measureCase(one, { programs, seconds, signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof NotManaged || error instanceof Failure)) throw error;
    const { servers, policies, healthIntervalMs } = one;
    const skipped = error.message.replace(/\.$/, '');
    return { servers, policies, healthIntervalMs, skipped, hasFailed: error instanceof Failure };
  }
}
