// shell · what a request and a probe cost the proxy with few servers and with many, in worlds without faults.
// Must never measure two numbers of servers at once.
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { runOneStep } from '../kit/one-step.ts';
import type { ScaleRow } from './scale-world.ts';

const WORKER = join(import.meta.dirname, 'scale-worker.ts');
const SIZES = [10, 100, 1000, 10_000];
// Ten thousand servers' connections outlive a small young generation, and copying them would be most of what is measured.
const YOUNG_MB = 512;

/** Measures each number of servers in turn; takes minutes with a million requests. */
export async function measureScale(
  requests: number,
  signal: AbortSignal,
  isOnStderr: boolean,
): Promise<ScaleRow[]> {
  return runOneStep(
    signal,
    'What requests and probes cost',
    async ({ phase }) => {
      const rows: ScaleRow[] = [];
      for (const size of SIZES) {
        phase(`${size.toLocaleString('en')} servers`);
        rows.push(await measureSize(size, requests, signal));
      }
      return rows;
    },
    (rows) => `${rows.length} sizes measured`,
    { isOnStderr },
  );
}

async function measureSize(size: number, requests: number, signal: AbortSignal): Promise<ScaleRow> {
  signal.throwIfAborted();
  const worker = new Worker(WORKER, {
    workerData: { size, requests },
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  });
  try {
    return await new Promise<ScaleRow>((resolve, reject) => {
      worker.on('message', resolve);
      worker.on('error', reject);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  } finally {
    await worker.terminate();
  }
}

/** The rows as a table in Markdown, with each cost against the first row's. */
export function formatScale(rows: readonly ScaleRow[]): string {
  const first = rows[0];
  const against = (value: number, base: number | undefined): string =>
    `${value.toFixed(1)} µs (× ${(value / (base ?? value)).toFixed(2)})`;
  return [
    '| servers | policies | requests | CPU per request | CPU per probe |',
    '|---:|---:|---:|---:|---:|',
    ...rows.map(({ servers, policies, requests, perRequestMicros, perProbeMicros }) => {
      const counts = [servers, policies, requests].map((count) => count.toLocaleString('en'));
      const request = against(perRequestMicros, first?.perRequestMicros);
      return `| ${[...counts, request, against(perProbeMicros, first?.perProbeMicros)].join(' | ')} |`;
    }),
  ].join('\n');
}
