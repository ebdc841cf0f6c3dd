// The report: what stands in the tables, in the remarks, in the charts and on the page.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleResult, sampleRun } from '../../../test-support/bench-sample.ts';
import { figuresOf } from '../result.ts';
import { chartsOf, ratioLimits } from './charts.ts';
import { renderPage } from './page.ts';
import { certaintyOf, remarksOf } from './remarks.ts';
import { formatResult, formatTables, range } from './text.ts';

test('every cell has a table with a row for each target', () => {
  const { figures } = sampleResult();
  const tables = formatTables(figures).join('\n').split('\n\n');
  assert.equal(tables.length, figures.length + 1);
  for (const [index, { targets }] of figures.entries()) {
    const [, head, ...rows] = tables[index]?.split('\n') ?? [];
    assert.match(head ?? '', /^ {2}target /);
    assert.deepEqual(
      rows.map((row) => row.trim().split(' ')[0]),
      targets.map(({ target }) => target),
    );
  }
  const oneshot = tables.find((text) => text.startsWith('oneshot 64 B × 64'));
  assert.match(
    oneshot ?? '',
    /\n {2}haproxy +10,800 {2}1\.33 \(1\.33–1\.33\) +100 {2}0\.50 \(0\.50–0\.50\) /,
  );
});

test('errors get a column only where there are any', () => {
  const result = sampleResult();
  assert.doesNotMatch(formatTables(result.figures).join('\n'), /errors/);
  const [first] = result.runs;
  assert.ok(first);
  const runs = [{ ...first, errors: { ...first.errors, timeout: 3 } }, ...result.runs.slice(1)];
  assert.match(formatTables(figuresOf(result.cells, runs)).join('\n'), /idle {2}errors\n(.*\n)*.* 3\n/);
});

test('ranges say what is missing', () => {
  assert.equal(range(null), '–');
  assert.equal(range({ median: 1.311, min: 1, max: 20.04, count: 5 }), '1.31 (1.00–20.0)');
});

test('the text of the terminal has the machine, the method, tables of 110 columns and what they come to', () => {
  const text = formatResult(sampleResult());
  for (const line of text.split('\n')) {
    if (line.startsWith('  ')) assert.ok(line.length <= 110, `${line.length}: ${line}`);
  }
  assert.match(
    text,
    /^Processor 2 × Sample & Sons <CPU> · Node 24\.1\.0\n3 repetitions, interleaved, 2 s each;/,
  );
  assert.match(text, / each; 6 servers, 3 policies\n\n/);
  assert.match(
    text,
    /CPU per request beside the baseline, in 10 cells: more in 0, less in 10, undecided in 0/,
  );
});

test('a difference to the baseline is one when all pairs of runs say so', () => {
  const cell = 'oneshot 64 B × 64';
  const figuresWith = (cpuUs: readonly number[]) => {
    const runs = cpuUs.flatMap((us, index) => [
      sampleRun(cell, 'policy-proxy', index, { cpuUs: us }),
      sampleRun(cell, 'baseline', index, { cpuUs: 10 }),
    ]);
    return figuresOf(sampleResult().cells, runs);
  };
  const certainty = (cpuUs: readonly number[]): string => certaintyOf(figuresWith(cpuUs)).join();
  assert.match(certainty([9, 8, 9]), /in one cell: more in 0, less in 1, undecided in 0/);
  assert.match(certainty([12, 11]), /more in 1, less in 0, undecided in 0/);
  assert.match(certainty([9, 11]), /more in 0, less in 0, undecided in 1/);
});

test('remarks: everything that disturbs or is missing is named', () => {
  const usual = sampleRun('oneshot 64 B × 64', 'nginx', 1);
  assert.deepEqual(remarksOf(sampleResult({ runs: [usual] })), []);
  const errors = { ...usual.errors, reset: 2 };
  const cores = { ...usual.cores, generator: 0.97 };
  const remarks = remarksOf(
    sampleResult({
      runs: [
        usual,
        { ...usual, errors },
        { ...usual, requests: 0 },
        { ...usual, cores },
        { ...usual, othersShare: 0.3 },
      ],
      machine: { 'policy-proxy': '0.1.0, commit abc1234', baseline: 'commit abc1234' },
      problems: ['haproxy in keep: process 7 has ended.'],
      missing: ['haproxy in a', 'haproxy in b', 'haproxy in c', 'haproxy in d', 'haproxy in e'],
      wasInterrupted: true,
    }),
  );
  assert.equal(remarks.length, 7);
  const text = remarks.join('\n');
  assert.match(text, /took over 15\.0 % of it in 1 of 5 runs/);
  assert.match(text, /Both versions are commit abc1234/);
  assert.match(text, /Ended early/);
  assert.match(text, /Failed, and left out from then on: haproxy in keep: process 7 has ended\./);
  assert.match(text, /Not measured: haproxy in a, haproxy in b, haproxy in c, haproxy in d and 1 more\./);
  assert.match(text, /failed in 2 of 5 runs: nginx in oneshot 64 B × 64\./);
  assert.match(text, /kept a processor busy, .* in 1 of 5 runs/);
});

test('the page stands on its own, escapes what it is given, and has a chart of each kind', () => {
  const html = renderPage(sampleResult({ problems: ['a <b> & c'] }));
  assert.doesNotMatch(html, /(src|href)="(?!#)/);
  assert.match(html, /Sample &amp; Sons &lt;CPU&gt;/);
  assert.match(html, /a &lt;b&gt; &amp; c/);
  assert.equal(html.match(/<figure>/g)?.length, 3);
  assert.doesNotMatch(html, /NaN|undefined|\[object/);
});

test('charts hold what can be drawn', () => {
  const { figures, cells } = sampleResult();
  const [throughput = '', cpu = ''] = chartsOf(figures);
  assert.match(throughput, />oneshot 64 B × 1\s+direct</);
  assert.doesNotMatch(throughput, />policy-proxy</);
  assert.doesNotMatch(cpu, /direct</);
  assert.deepEqual(chartsOf([]), []);
  const unanswered = cells.flatMap(({ id }) => [
    sampleRun(id, 'direct', 1),
    sampleRun(id, 'policy-proxy', 1, { requests: 0, cpuUs: null }),
  ]);
  assert.deepEqual(chartsOf(figuresOf(cells, unanswered)), []);
});

test('ratios are drawn between powers of two, with 1 inside', () => {
  assert.deepEqual(ratioLimits(0.55, 0.7), { min: 0.5, max: 2 });
  assert.deepEqual(ratioLimits(1.2, 4.4), { min: 0.5, max: 8 });
  assert.deepEqual(ratioLimits(0.2, 0.9), { min: 0.125, max: 2 });
});
