// What chaos prints: every scenario and fault in the list; the verdict last, the bad findings where they are seen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatJudgement } from '../kit/report/judgement.ts';
import type { Finding, Verdict } from '../kit/verdict.ts';
import { FAULT_KINDS } from './faults/facts.ts';
import type { ProxyView } from './journal.ts';
import type { RunSummary } from './run-plans.ts';
import { SCENARIOS } from './scenarios/index.ts';
import { describeRotation, formatLastLine, formatList, formatOverview } from './words.ts';

const finding = (criterion: string, verdict: Verdict): Finding => ({
  criterion,
  verdict,
  measured: `${criterion} measured`,
  limit: 'none',
  n: 3,
  details: ['one', 'two', 'three', 'four'],
});
const summary = (scenario: string, verdict: Verdict): RunSummary => ({
  scenario,
  title: scenario,
  seed: 1,
  verdict,
  judgement: { verdict, findings: [finding('no request lost', verdict)] },
  totals: { ok: 98, wrong: 0, error: 1, lost: 1, dropped: 5 },
  leftovers: [],
  folder: '/x',
});

test('findings: what passed first, what failed last, with its limit and its worst cases', () => {
  const findings = [finding('a', 'fail'), finding('bb', 'pass'), finding('c', 'unknown')];
  assert.deepEqual(formatJudgement({ verdict: 'fail', findings }).split('\n'), [
    '✔ pass     bb  bb measured',
    '? unknown  c   c measured (passes: none)',
    '             one',
    '             two',
    '             three',
    '✖ fail     a   a measured (passes: none)',
    '             one',
    '             two',
    '             three',
  ]);
});

test('an overview has a line per run, and says why one is not good', () => {
  assert.deepEqual(formatOverview([summary('kill', 'pass'), summary('pause', 'fail')]).split('\n'), [
    '✔ pass     kill   98 ok, 0 wrong, 1 errors, 1 lost',
    '✖ fail     pause  98 ok, 0 wrong, 1 errors, 1 lost: no request lost: no request lost measured',
  ]);
});

test('the last line is the verdict and the report', () => {
  assert.equal(formatLastLine('pass', [summary('a', 'pass')], 'r/report.html'), '✔ pass: r/report.html');
  assert.equal(
    formatLastLine('fail', [summary('a', 'pass'), summary('b', 'fail'), summary('c', 'pass')], 'r'),
    '✖ fail (2 pass, 1 fail): r',
  );
  assert.equal(formatLastLine('unknown', [], 'r'), '? unknown: nothing was measured');
});

test('the list has every scenario and every fault', () => {
  const names = formatList()
    .split('\n')
    .flatMap((line) => /^ {2}(\S+)/.exec(line)?.[1] ?? []);
  assert.deepEqual(names, [...SCENARIOS.map(({ name }) => name), ...FAULT_KINDS]);
  assert.equal(SCENARIOS.length, 32);
});

const view = (proxy: string, states: readonly string[], more: Partial<ProxyView> = {}): ProxyView => {
  const servers = states.map((state, id) => {
    return { id: String(id), policy: '1', state, sent: 0, served: 0, failed: 0 };
  });
  const tables = [{ atMs: 1, boot: 0, isReady: true, servers }];
  return { proxy, events: [], tables, listens: [1], closes: [], ...more };
};

test('the servers in rotation are those of every proxy, and none of one that does not answer', () => {
  const first = view('proxy-1', ['ready', 'evicted', 'ready']);
  assert.equal(describeRotation([first]), '2 of 3 in rotation');
  const others = [view('proxy-2', ['ready'], { closes: [5] }), view('proxy-3', [], { tables: [] })];
  assert.equal(
    describeRotation([first, ...others]),
    'proxy-1 2 of 3, proxy-2 0 of 1, proxy-3 0 of 0 in rotation',
  );
});
