// shell · a proxy that is sampled while something is done to it, and the part of the profile that lies in that time.
// Must never leave a process or a file behind.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CpuProfile, cutProfile, parseProfile, type Span } from '../../kit/cpu-profile.ts';
import { Failure } from '../../kit/failure.ts';
import { type ProxyProcess, startProxyProcess } from '../../kit/proxy-process.ts';

const FILE = 'proxy.cpuprofile';

/** How often the proxy is sampled. */
export const SAMPLE_EVERY_US = 200;

/** Microseconds of the clock that a profile's times are on as well (CLOCK_MONOTONIC, the same in all processes). */
export function clockUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/**
 * Profiles a proxy, with V8's own sampling.
 * @param work what happens to it; says which time is of interest, by `clockUs`
 * @returns the profile of that time, and what `work` made
 * @throws Failure when the proxy leaves no profile
 */
export async function profileProxy<T extends { span: Span }>(
  work: (proxy: ProxyProcess) => Promise<T>,
  signal: AbortSignal,
): Promise<{ profile: CpuProfile; made: T }> {
  const directory = await mkdtemp(join(tmpdir(), 'policy-proxy-profile-'));
  try {
    const nodeFlags = [
      '--cpu-prof',
      `--cpu-prof-dir=${directory}`,
      `--cpu-prof-name=${FILE}`,
      '--cpu-prof-interval',
      `${SAMPLE_EVERY_US}`,
    ];
    const proxy = await startProxyProcess({ nodeFlags, signal });
    const made = await work(proxy).finally(() => proxy.stop());
    const profile = parseProfile(await readProfile(join(directory, FILE)));
    return { profile: cutProfile(profile, made.span), made };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function readProfile(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new Failure(
      `The proxy left no profile behind (${cause.code}).`,
      'Run it again; a proxy that was killed writes none.',
      { cause },
    );
  });
}
