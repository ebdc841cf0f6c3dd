import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bounds, judge, type Measured, makeBounds } from './bounds.ts';
import { adviceOn, explain, formatTable } from './report.ts';

const PER_REQUEST = { heapBytes: 1000, systemCalls: 10, readsAndWrites: 5 };
const BOUNDS: Bounds = {
  node: '24.1.0',
  perRequest: { oneshot: PER_REQUEST, keep: PER_REQUEST, pipelined: PER_REQUEST },
};
const value = (amount: number) => ({ value: amount, note: '' });
const unknown = (note: string) => ({ value: null, note });
const GOOD = { heapBytes: value(900), systemCalls: value(9.8), readsAndWrites: value(5) };

function measured(oneshot: Partial<Measured['oneshot']>): Measured {
  return { oneshot: { ...GOOD, ...oneshot }, keep: GOOD, pipelined: GOOD };
}

const CASES = [
  { name: 'at the bound', oneshot: { systemCalls: value(10) }, verdict: 'within' },
  { name: 'above it', oneshot: { systemCalls: value(10.1) }, verdict: 'over' },
  { name: 'not measured', oneshot: { systemCalls: unknown('no strace') }, verdict: 'not measured' },
];
for (const { name, oneshot, verdict } of CASES) {
  test(`a value ${name} is ${verdict}`, () => {
    const findings = judge(measured(oneshot), BOUNDS);
    assert.equal(findings.length, 9);
    assert.deepEqual(
      findings.filter((finding) => finding.verdict !== 'within').map((finding) => finding.verdict),
      verdict === 'within' ? [] : [verdict],
    );
    const found = findings.find(
      ({ scenario, measure }) => scenario === 'oneshot' && measure === 'systemCalls',
    );
    assert.equal(found?.verdict, verdict);
  });
}

test('new bounds lie above the highest value of all runs, and an unmeasured one stays', () => {
  const runs = [
    measured({ heapBytes: value(1001), systemCalls: unknown('no strace') }),
    measured({ heapBytes: value(995) }),
  ];
  const { node, perRequest } = makeBounds(runs.slice(0, 1), BOUNDS, '24.2.0');
  assert.equal(node, '24.2.0');
  assert.deepEqual(perRequest.oneshot, { heapBytes: 1090, systemCalls: 10, readsAndWrites: 5.4 });
  assert.equal(makeBounds(runs, BOUNDS, '24.2.0').perRequest.oneshot.systemCalls, 10.29);
});

test('whoever is over a bound is told by how much, where to look and what to do', () => {
  const [finding] = judge(measured({ heapBytes: value(1250) }), BOUNDS);
  assert.ok(finding !== undefined);
  const text = explain(finding, BOUNDS, '24.1.0');
  assert.match(text, /oneshot: .* 1,250 bytes of JavaScript heap, and the bound is 1,000: 25 % over it/);
  assert.match(text, /npm run profile -- --mode oneshot/);
  assert.match(text, /npm run guard -- --write/);
  assert.doesNotMatch(text, /24\.1\.0/);
  assert.match(explain(finding, BOUNDS, '24.9.0'), /Node 24\.1\.0, this is 24\.9\.0/);
});

test('the table says what was not measured and why', () => {
  const table = formatTable(judge(measured({ systemCalls: unknown('ptrace is not permitted') }), BOUNDS));
  assert.match(table, /oneshot +system calls +– +10\.0 +not measured here: ptrace is not permitted$/m);
  assert.match(table, /keep +system calls +9\.80 +10\.0 +98 %$/m);
});

test('a bound that has become loose is named', () => {
  assert.equal(adviceOn(judge(measured({}), BOUNDS)), '');
  assert.match(
    adviceOn(judge(measured({ heapBytes: value(500) }), BOUNDS)),
    /oneshot \(bytes of JavaScript heap\)/,
  );
});
