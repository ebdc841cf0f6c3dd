// The report: what stands in the tables, at a glance, in the remarks, on the page.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleResult, sampleRun } from '../../../test-support/bench-sample.ts';
import { figuresOf } from '../statistics.ts';
import { chartsOf } from './charts.ts';
import { glanceOf, remarksOf } from './glance.ts';
import { renderPage } from './page.ts';
import { drawRanges, ratioLimits } from './ranges.ts';
import { range, tablesOf } from './table.ts';
import { formatResult } from './text.ts';

test('every cell has a table with a row for each target', () => {
  const { figures } = sampleResult();
  const tables = tablesOf(figures);
  assert.equal(tables.length, figures.length);
  for (const [index, { head, rows }] of tables.entries()) {
    assert.equal(rows.length, figures[index]?.targets.length);
    for (const row of rows) assert.equal(row.length, head.length);
  }
  const oneshot = tables.find(({ title }) => title.startsWith('oneshot, 64 bytes, 64 connections'));
  const haproxy = oneshot?.rows.find(([target]) => target === 'haproxy');
  assert.deepEqual(haproxy?.slice(0, 5), [
    'haproxy',
    '10,800',
    '1.33 (1.33–1.33)',
    '100',
    '0.50 (0.50–0.50)',
  ]);
});

test('errors get a column only where there are any', () => {
  const result = sampleResult();
  assert.ok(tablesOf(result.figures).every(({ head }) => !head.includes('errors')));
  const [first] = result.runs;
  assert.ok(first);
  const runs = [{ ...first, errors: { ...first.errors, timeout: 3 } }, ...result.runs.slice(1)];
  const [table] = tablesOf(figuresOf(result.cells, runs));
  assert.equal(table?.head.at(-1), 'errors');
  assert.ok(table?.rows.some((row) => row.at(-1) === '3'));
});

test('ranges say what is missing', () => {
  assert.equal(range(null), '–');
  assert.equal(range({ median: 1.311, min: 1, max: 20.04, count: 5 }), '1.31 (1.00–20.0)');
});

test('a terminal of 110 columns is wide enough', () => {
  const text = formatResult(sampleResult(), 'growth as it was found');
  for (const line of text.split('\n')) assert.ok(line.length <= 110, `${line.length}: ${line}`);
  assert.match(
    text,
    /^Processor 2 × Sample & Sons <CPU> · Node 24\.1\.0\n3 repetitions, interleaved, 2 s each/,
  );
  assert.match(text, /\n\ngrowth as it was found\n\n/);
  assert.match(text, /policy-proxy ÷ haproxy, oneshot: throughput × 1\.33 \(1\.33 to 1\.33 in 4 cells\)/);
});

test('at a glance: everybody that was measured, in each mode', () => {
  const lines = glanceOf(sampleResult().figures);
  assert.deepEqual(
    lines.map((line) => line.split(':')[0]),
    [
      'policy-proxy ÷ baseline, oneshot',
      'policy-proxy ÷ haproxy, oneshot',
      'policy-proxy ÷ haproxy-1, oneshot',
      'policy-proxy ÷ nginx, oneshot',
      'policy-proxy ÷ thread-per-request, oneshot',
      'policy-proxy ÷ straight to a server, oneshot',
      'policy-proxy ÷ a Node process that forwards nothing, oneshot',
      'policy-proxy ÷ baseline, keep',
      'policy-proxy ÷ straight to a server, keep',
      'policy-proxy ÷ a Node process that forwards nothing, keep',
      'policy-proxy ÷ baseline, open',
      'policy-proxy ÷ haproxy, open',
      'policy-proxy ÷ haproxy-1, open',
      'policy-proxy ÷ nginx, open',
      'policy-proxy ÷ a Node process that forwards nothing, open',
      'policy-proxy ÷ baseline, pipeline',
      'policy-proxy ÷ straight to a server, pipeline',
      'CPU per request beside the baseline, in 10 cells',
    ],
  );
  assert.deepEqual(glanceOf([]), []);
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
  assert.match(
    glanceOf(figuresWith([9, 8, 9])).at(-1) ?? '',
    /in one cell: more in 0, less in 1, undecided in 0/,
  );
  assert.match(glanceOf(figuresWith([12, 11])).at(-1) ?? '', /more in 1, less in 0, undecided in 0/);
  assert.match(glanceOf(figuresWith([9, 11])).at(-1) ?? '', /more in 0, less in 0, undecided in 1/);
});

test('remarks: nothing that disturbs is kept quiet', () => {
  const usual = sampleRun('oneshot 64 B × 64', 'nginx', 1);
  assert.deepEqual(
    remarksOf({ runs: [usual], problem: null, wasInterrupted: false, idleBefore: 0.95, machine: {} }),
    [],
  );
  const errors = { ...usual.errors, reset: 2 };
  const cores = { ...usual.cores, generator: 0.97 };
  const remarks = remarksOf({
    runs: [
      usual,
      { ...usual, errors },
      { ...usual, requests: 0 },
      { ...usual, cores },
      { ...usual, trackedShare: 1 },
      { ...usual, othersShare: 0.3 },
    ],
    machine: { 'policy-proxy': '0.1.0, commit abc1234', baseline: 'commit abc1234' },
    problem: 'HAProxy has ended.',
    wasInterrupted: true,
    idleBefore: 0.5,
  });
  assert.equal(remarks.length, 8);
  assert.match(remarks.join('\n'), /took over 15\.0 % of it in 1 of 6 runs/);
  assert.match(remarks.join('\n'), /Both versions are commit abc1234/);
  assert.match(remarks.join('\n'), /Before it began, something else kept 50\.0 % of the machine busy/);
  assert.match(remarks.join('\n'), /Ended early/);
  assert.match(remarks.join('\n'), /HAProxy has ended/);
  assert.match(remarks.join('\n'), /failed in 2 of 6 runs: nginx in oneshot 64 B × 64\./);
  assert.match(remarks.join('\n'), /table of tracked connections was full in 1 of 6 runs/);
  assert.match(remarks.join('\n'), /busy in 1 of 6 runs/);
});

test('the page stands on its own, escapes what it was told, and has a chart of each kind', () => {
  const html = renderPage(sampleResult({ problem: 'a <b> & c' }), 'servers < 10');
  assert.doesNotMatch(html, /(src|href)="(?!#)/);
  assert.match(html, /Sample &amp; Sons &lt;CPU&gt;/);
  assert.match(html, /a &lt;b&gt; &amp; c/);
  assert.match(html, /servers &lt; 10/);
  assert.equal(html.match(/<svg class="chart ranges"/g)?.length, 3);
  assert.doesNotMatch(html, /NaN|undefined|\[object/);
});

test('a page of nothing but growth has no empty chart or table', () => {
  const html = renderPage(sampleResult({ cells: [], runs: [], figures: [] }), 'growth');
  assert.doesNotMatch(html, /<svg class="chart|All figures|At a glance/);
});

test('charts hold what can be drawn, and the same is drawn the same twice', () => {
  const { figures } = sampleResult();
  const [throughput, cpu] = chartsOf(figures);
  assert.ok(throughput?.targets.has('direct') && !throughput.targets.has('policy-proxy'));
  assert.ok(!cpu?.targets.has('direct'));
  assert.equal(chartsOf(figures)[0]?.drawing, throughput?.drawing);
  assert.equal(drawRanges({ id: 'x', label: 'x', axis: 'ratio', rows: [] }), '');
});

test('ratios are drawn between powers of two, with 1 inside', () => {
  assert.deepEqual(ratioLimits(0.55, 0.7), { min: 0.5, max: 2 });
  assert.deepEqual(ratioLimits(1.2, 4.4), { min: 0.5, max: 8 });
  assert.deepEqual(ratioLimits(0.2, 0.9), { min: 0.125, max: 2 });
});
