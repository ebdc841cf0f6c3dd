// The whole command for real, in its shortest form: without peers, which a machine need not have.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { BenchResult } from './result.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const COMMAND = join(import.meta.dirname, '..', 'bench.ts');
const SHORT = ['--part', 'pipeline', '--targets', 'direct,policy-proxy', '--seconds', '1', '--json'];

type Ended = { code: number | null; stdout: string; stderr: string };

async function runCommand(
  args: string[],
  onStderr: (text: string, stop: () => void, pid: number) => void,
): Promise<Ended> {
  const child = spawn(process.execPath, [COMMAND, ...args], { env: { PATH: process.env.PATH } });
  let [stdout, stderr] = ['', ''];
  let isStopped = false;
  // A second signal would end it at once.
  const stop = (): void => {
    if (!isStopped) child.kill('SIGINT');
    isStopped = true;
  };
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
    onStderr(stderr, stop, child.pid ?? 0);
  });
  const ended = Promise.withResolvers<number | null>();
  child.on('close', ended.resolve);
  return { code: await ended.promise, stdout, stderr };
}

async function reportFolder(t: TestContext): Promise<string> {
  const base = await mkdtemp(join(tmpdir(), 'bench-'));
  t.after(() => rm(base, { recursive: true }));
  return join(base, 'report');
}

test('from the command line to the report', async (t) => {
  const folder = await reportFolder(t);
  const { code, stdout, stderr } = await runCommand(
    [...SHORT, '--repeat', '1', '--report', folder],
    () => {},
  );
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
  const { code, stdout, stderr } = await runCommand(
    ['--quick', '--modes', 'keep', '--baseline', ROOT, '--json', '--report', folder],
    () => {},
  );
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
  const args = ['--quick', '--baseline', 'no-such-version', '--json', '--report', folder];
  const { code, stdout, stderr } = await runCommand(args, () => {});
  assert.equal(code, 2, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, /"no-such-version" is no folder with a proxy .*, and no commit of this repository\./);
  await assert.rejects(readdir(folder), { code: 'ENOENT' });
});

test('Ctrl-C before anything was measured ends with 130 and no report', async (t) => {
  const folder = await reportFolder(t);
  const { code, stdout, stderr } = await runCommand([...SHORT, '--report', folder], (text, stop) => {
    if (/warming up/.test(text)) stop();
  });
  assert.equal(code, 130, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, /Interrupted\. Nothing was measured, and nothing is left running\./);
});

test('Ctrl-C after some runs reports what was measured, and names what is missing', async (t) => {
  const folder = await reportFolder(t);
  const args = [...SHORT, '--repeat', '50', '--report', folder];
  const { code, stdout } = await runCommand(args, (text, stop) => {
    // By then the run before is measured.
    if (/run (?!1 )\d+ of 100/.test(text)) stop();
  });
  assert.equal(code, 130);
  const { runs, missing, wasInterrupted, figures } = JSON.parse(stdout) as BenchResult;
  assert.ok(wasInterrupted && runs.length > 0 && figures.length === 1, stdout);
  assert.match(missing.join(), / in pipeline 64 B × 64 \(4\d of 50 repetitions\)/);
  assert.deepEqual((await readdir(folder)).sort(), ['index.html', 'results.json']);
});

test('a target that dies is left out from then on, and the others are measured', async (t) => {
  const folder = await reportFolder(t);
  const args = [...SHORT, '--repeat', '3', '--report', folder];
  const { code, stdout } = await runCommand(args, (text, _stop, pid) => {
    if (!/run 1 of 6/.test(text)) return;
    const proxy = descendantsOf(pid).find((each) => commandLineOf(each).includes('services/proxy/main.ts'));
    if (proxy !== undefined) process.kill(proxy, 'SIGKILL');
  });
  assert.equal(code, 1, stdout);
  const { runs, problems, missing } = JSON.parse(stdout) as BenchResult;
  assert.equal(runs.filter(({ target }) => target === 'direct').length, 3);
  assert.match(problems.join(), /^policy-proxy in pipeline 64 B × 64: Process \d+ has ended/);
  assert.match(missing.join(), /^policy-proxy in pipeline 64 B × 64/);
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
