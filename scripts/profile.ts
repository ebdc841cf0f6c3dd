// `npm run profile`: where the proxy spends its time under load, as a table and as a .cpuprofile file.
import { once } from 'node:events';
import { rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { commandLine, given, requireWhole } from '../services/shared/config.ts';
import {
  type LoadResult,
  type NativePrograms,
  prepareNative,
  runLoad,
  startServers,
} from './bench/native.ts';
import type { ProfilerOrder } from './bench/profiler.ts';
import { errorsOf } from './bench/result.ts';
import { USUAL_SIZE } from './bench/targets/policy-proxy.ts';
import { type CpuProfile, functionCosts } from './kit/cpu-profile.ts';
import { Failure } from './kit/failure.ts';
import { freePorts } from './kit/ports.ts';
import { ROOT } from './kit/project.ts';
import { startProxyProcess } from './kit/proxy-process.ts';
import { makeReportFolder, shortPath } from './kit/report-files.ts';
import { number, runScript } from './kit/script.ts';
import { runOneStep } from './kit/steps.ts';
import { count, decimal, percent, textTable } from './kit/words.ts';

const SCRIPT_NAME = 'npm run profile --';
const PROFILER = new URL('bench/profiler.ts', import.meta.url).href;
const SAMPLE_EVERY_US = 200;
const REPLY_WITHIN_MS = 30_000;
const PAYLOAD_BYTES = 64;
const TOP = 20;

const FLAGS = {
  mode: {
    choices: ['oneshot', 'keep'] as const,
    default: 'keep' as const,
    describe: 'a connection per request, or one request after another on each connection',
  },
  connections: number(64, 'connections at a time'),
  seconds: number(5, 'how long it is sampled, after a warm-up'),
  report: { type: 'string', describe: 'folder for the profile (reports/TIME-profile-MODE)' },
} as const;

const EPILOGUE = `Writes proxy.cpuprofile: browsers' developer tools open it. Sampling every ${SAMPLE_EVERY_US} µs slows the proxy down a little: for figures to compare take npm run bench.

Exit codes: 0 written · 1 a step failed · 2 bad usage, or something is not installed · 130 ended early with Ctrl-C`;

type Load = { mode: 'oneshot' | 'keep'; connections: number; seconds: number };
type Taken = { profile: CpuProfile; result: LoadResult };

await runScript(SCRIPT_NAME, 'Nothing is reported.', main, { mustCleanUp: true });

async function main(signal: AbortSignal): Promise<void> {
  const { load, reportFolder } = parseCommand(process.argv.slice(2));
  const { mode, connections, seconds } = load;
  const folder = await makeReportFolder(`profile-${mode}`, reportFolder);
  const { profile, result } = await runOneStep(
    signal,
    `Profile of the proxy: ${mode}, ${count(connections)} connections`,
    async (progress) => {
      const programs = await prepareNative(progress);
      progress.phase(`sampling for ${seconds} s`);
      return await profileProxy(load, programs, signal);
    },
    (taken) => `${count(taken.profile.samples?.length ?? 0)} samples`,
  ).catch(async (error) => {
    await rmdir(folder);
    throw error;
  });
  const file = join(folder, 'proxy.cpuprofile');
  await writeFile(file, JSON.stringify(profile));
  console.log(`\n${formatTop(profile)}\n\n${formatFigures(result)}\nProfile: ${shortPath(file)}`);
}

function parseCommand(args: readonly string[]): { load: Load; reportFolder: string | null } {
  const flags = commandLine(args, SCRIPT_NAME)
    .usage('$0 [OPTIONS]\n\nShows where the proxy spends its time under load.')
    .options(FLAGS)
    .example('$0 --mode oneshot --seconds 10', 'a connection per request, for ten seconds')
    .epilogue(EPILOGUE)
    .parseSync();
  const load = {
    mode: flags.mode,
    connections: requireWhole('--connections', flags.connections, 1, 10_000),
    seconds: requireWhole('--seconds', flags.seconds, 1, 600),
  };
  return { load, reportFolder: given('--report', flags.report) };
}

// A profile of the time in which requests are counted, with six registered servers.
async function profileProxy(load: Load, programs: NativePrograms, signal: AbortSignal): Promise<Taken> {
  const proxy = await startProxyProcess({ nodeFlags: [`--import=${PROFILER}`], hasChannel: true, signal });
  const stops = [proxy.stop];
  try {
    for (const [first, port] of (await freePorts(USUAL_SIZE.servers)).entries()) {
      const spec = { first, count: 1, port, policies: USUAL_SIZE.policies, proxyPort: proxy.port };
      stops.push((await startServers(programs, spec, signal)).process.stop);
    }
    const order = (what: ProfilerOrder): void => void proxy.child.send(what);
    const { port, pid } = proxy;
    const { policies } = USUAL_SIZE;
    const run = { ...load, payloadBytes: PAYLOAD_BYTES, port, policies, pids: [pid] };
    const onStart = (): void => order({ kind: 'start', sampleEveryUs: SAMPLE_EVERY_US });
    const result = await runLoad(programs, run, onStart, signal);
    order({ kind: 'stop' });
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(REPLY_WITHIN_MS)]);
    const [profile] = (await once(proxy.child, 'message', { signal: deadline })) as [CpuProfile];
    if (result.requests > 0) return { profile, result };
    const tail = JSON.stringify(result.errors);
    throw new Failure('No request was answered.', 'Check whether "npm run bench" gets answers.', { tail });
  } finally {
    await Promise.all(stops.map((stop) => stop()));
  }
}

function formatTop(profile: CpuProfile): string {
  const root = `${pathToFileURL(ROOT).href}/`;
  const busy = functionCosts(profile).filter(({ name }) => name !== '(idle)' && name !== '(root)');
  const busyUs = busy.reduce((sum, { selfUs }) => sum + selfUs, 0);
  const rows = busy.slice(0, TOP).map(({ name, place, selfUs, totalUs }) => {
    const where = place === '' ? 'Node and V8' : decodeURIComponent(place.replace(root, ''));
    return [percent(selfUs, busyUs), percent(totalUs, busyUs), name, where];
  });
  return textTable([['itself', 'total', 'function', 'where'], ...rows], 'rrl').join('\n');
}

function formatFigures({ requests, seconds, latencyUs, errors, cpuUs }: LoadResult): string {
  const failed = errorsOf({ errors });
  return [
    `${count(requests / seconds)} requests/s`,
    `${decimal((cpuUs[1] ?? Number.NaN) / requests)} µs of the proxy's CPU per request (sampling included)`,
    `p50 ${decimal(latencyUs.p50 / 1000)} ms, p99 ${decimal(latencyUs.p99 / 1000)} ms`,
    ...(failed === 0 ? [] : [`${count(failed)} requests were not answered right`]),
  ].join(', ');
}
