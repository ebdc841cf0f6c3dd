// The whole command for real, in its shortest form: without peers, which a machine need not have.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ended, type Program, startProgram } from '../../test-support/programs.ts';
import type { BenchResult } from './result.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const PIPELINE = ['--part', 'pipeline', '--targets', 'direct,policy-proxy', '--seconds', '0.2', '--json'];
// Not as much as goes through: a thousand requests a second, which leave the processor to other tests.
const LIGHT = PIPELINE.with(1, 'latency');
// A run of it takes no second, but there are some, with what they wait for before and between them.
const RUN_MS = 120_000;

function bench(...args: string[]): Program {
  return startProgram('scripts/bench.ts', args);
}

async function reportFolder(t: TestContext): Promise<string> {
  const base = await mkdtemp(join(tmpdir(), 'bench-'));
  t.after(() => rm(base, { recursive: true }));
  return join(base, 'report');
}

test('from the command line to the report', async (t) => {
  const folder = await reportFolder(t);
  const program = bench(...PIPELINE, '--repeat', '1', '--report', folder);
  const { code, stdout, stderr } = await ended(program, RUN_MS);
  assert.equal(code, 0, stderr);
  const { report, ...result } = JSON.parse(stdout) as BenchResult & { report: string };
  assert.equal(report, folder);
  assert.deepEqual((await readdir(folder)).sort(), ['index.html', 'results.json']);
  assert.deepEqual(JSON.parse(await readFile(join(folder, 'results.json'), 'utf8')), result);
  const [cell] = result.figures;
  const [direct, proxy] = cell?.targets ?? [];
  assert.ok(direct?.ratios.throughput && direct.perSecond && proxy?.cpuUs && proxy.residentBytes, stdout);
  assert.ok(proxy.cpuUs.median > 0 && proxy.residentBytes.median > 10_000_000, stdout);
  assert.equal(
    result.runs.every(({ cores }) => cores.generator > 0 && cores.servers > 0),
    true,
    stdout,
  );
});

test('two versions beside each other, each with servers of its own', async (t) => {
  const folder = await reportFolder(t);
  const program = bench(
    '--quick',
    '--seconds',
    '0.2',
    '--modes',
    'keep',
    '--baseline',
    ROOT,
    '--json',
    '--report',
    folder,
  );
  const { code, stdout, stderr } = await ended(program, RUN_MS);
  assert.equal(code, 0, stderr);
  const { figures, machine } = JSON.parse(stdout) as BenchResult;
  const [direct, baseline, proxy] = figures[0]?.targets ?? [];
  assert.deepEqual(
    [direct, baseline, proxy].map((figures) => figures?.target),
    ['direct', 'baseline', 'policy-proxy'],
  );
  assert.ok(baseline?.ratios.throughput && baseline.ratios.cpu && proxy?.cpuUs, stdout);
  assert.match(machine.baseline ?? '', new RegExp(`^${ROOT}`));
  assert.match(stderr, /CPU per request beside the baseline, in one cell: /);
});

test('a version that is not there is refused before anything starts', async (t) => {
  const folder = await reportFolder(t);
  const program = bench('--quick', '--baseline', 'no-such-version', '--json', '--report', folder);
  const { code, stdout, stderr } = await ended(program, RUN_MS);
  assert.equal(code, 2, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, /"no-such-version" is no folder with a proxy .*, and no commit of this repository\./);
  await assert.rejects(readdir(folder), { code: 'ENOENT' });
});

test('Ctrl-C before anything was measured ends with 130 and no report', async (t) => {
  const folder = await reportFolder(t);
  const program = bench(...LIGHT, '--report', folder);
  await program.printed(/warming up/, RUN_MS);
  program.child.kill('SIGINT');
  const { code, stdout, stderr } = await ended(program, RUN_MS);
  assert.equal(code, 130, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, /Interrupted\. Nothing was measured, and nothing is left running\./);
});

test('Ctrl-C after some runs reports what was measured, and names what is missing', async (t) => {
  const folder = await reportFolder(t);
  const program = bench(...LIGHT, '--repeat', '50', '--report', folder);
  // By then the run before is measured.
  await program.printed(/run (?!1 )\d+ of 100/, RUN_MS);
  program.child.kill('SIGINT');
  const { code, stdout } = await ended(program, RUN_MS);
  assert.equal(code, 130);
  const { runs, missing, wasInterrupted, figures } = JSON.parse(stdout) as BenchResult;
  assert.ok(wasInterrupted && runs.length > 0 && figures.length === 1, stdout);
  assert.match(missing.join(), / in open 64 B at 1000\/s \(\d+ of 50 repetitions\)/);
  assert.deepEqual((await readdir(folder)).sort(), ['index.html', 'results.json']);
});

test('a target that dies is left out from then on, and the others are measured', async (t) => {
  const folder = await reportFolder(t);
  const program = bench(...LIGHT, '--repeat', '6', '--report', folder);
  await program.printed(/run 1 of 12/, RUN_MS);
  const started = descendantsOf(Number(program.child.pid));
  const proxy = started.find((each) => commandLineOf(each).includes('services/proxy/main.ts'));
  process.kill(Number(proxy), 'SIGKILL');
  const { code, stdout } = await ended(program, RUN_MS);
  assert.equal(code, 1, stdout);
  const { runs, problems, missing } = JSON.parse(stdout) as BenchResult;
  assert.equal(runs.filter(({ target }) => target === 'direct').length, 6);
  assert.match(problems.join(), /^policy-proxy in open 64 B at 1000\/s: Process \d+ has ended/);
  assert.match(missing.join(), /^policy-proxy in open 64 B at 1000\/s/);
});

function descendantsOf(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

function commandLineOf(pid: number): string {
  return read(`/proc/${pid}/cmdline`);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
