import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { emptyRecording, recordingOf } from '../../../test-support/chaos/recording-builder.ts';
import { percentile } from '../../kit/percentile.ts';
import type { Verdict } from '../../kit/verdict.ts';
import { worstVerdict } from '../../kit/verdict.ts';
import { INTERRUPTED } from '../journal.ts';
import type { FaultKind } from '../plan.ts';
import { criteriaOf, SCENARIOS } from '../scenarios/index.ts';
import * as detection from './detection.ts';
import * as evictions from './evictions.ts';
import { type Assessment, type Criterion, judge, worstFirst } from './judge.ts';
import * as latency from './latency.ts';
import { CERTAIN } from './machine.ts';
import { misrouted } from './misrouted.ts';
import * as proxy from './proxy.ts';
import * as recovery from './recovery.ts';
import * as replies from './replies.ts';
import * as steady from './steady.ts';

const ALL: readonly Criterion[] = [
  steady.tested,
  steady.steadyState,
  steady.steadyControl,
  replies.noWrong,
  replies.noStray,
  replies.noLost,
  replies.noErrors,
  replies.noServerOnly,
  replies.inTime,
  misrouted,
  evictions.falseEvictions,
  evictions.evictionsHaveCauses,
  evictions.noEviction,
  steady.backInRotation,
];
const ONLY_WITH_FAULTS: readonly Criterion[] = [
  latency.latencyOfOthers,
  evictions.evictionsAtMost,
  evictions.evictionsAtMostCrashes,
  detection.detection({ kinds: ['kill'], maxMs: 1750 }),
  recovery.readmission({ kinds: ['kill'] }),
  recovery.swapped,
  proxy.proxyWhole,
  proxy.proxyStopNothingInFlightLost,
  proxy.proxyKillLostInFlight,
  recovery.firstOkAfter,
  detection.answeredByAnother({ kinds: ['pause'] }),
  detection.outByTraffic,
  recovery.newServersServe,
];

describe('every criterion', () => {
  const planned = { ...emptyRecording().plan, faults: [{ ...FAULT_PLAN() }] };
  for (const each of [...ALL, ...ONLY_WITH_FAULTS, latency.othersUntouched]) {
    test(`${each.name} cannot tell anything of an empty recording`, () => {
      const recording = { ...emptyRecording(), plan: planned };
      assert.equal(judge(recording, [each]).verdict, 'unknown');
    });
  }
  for (const each of ALL) {
    test(`${each.name} passes a quiet run`, () => {
      const [finding] = judge(recordingOf(), [each]).findings;
      assert.equal(finding?.verdict, 'pass', JSON.stringify(finding));
    });
  }
  for (const each of ONLY_WITH_FAULTS) {
    test(`${each.name} cannot tell anything of a run without its fault`, () => {
      assert.equal(judge(recordingOf(), [each]).verdict, 'unknown');
    });
  }
});

/** A criterion that always sees the same. */
function seeing(name: string, seen: Partial<Assessment>): Criterion {
  return { name, limit: 'none', assess: () => ({ measured: '', n: 1, ...seen }) };
}

function FAULT_PLAN() {
  return { id: 1, kind: 'kill' as const, targets: ['server-p1-1'], atMs: 0, forMs: 0, params: {} };
}

describe('the verdict', () => {
  const giving = (verdict: Verdict): Criterion =>
    seeing(verdict, { isOpen: verdict === 'unknown', troubles: verdict === 'fail' ? [CERTAIN] : [] });
  const breaking: Criterion = {
    name: 'breaking',
    limit: '',
    assess: () => {
      throw new Error('out of order');
    },
  };
  const table: [Criterion[], Verdict][] = [
    [[], 'unknown'],
    [[giving('pass')], 'pass'],
    [[giving('pass'), giving('unknown')], 'unknown'],
    [[giving('unknown'), giving('fail'), giving('pass')], 'fail'],
    [[giving('pass'), breaking], 'unknown'],
    [[breaking, giving('fail')], 'fail'],
  ];
  for (const [given, expected] of table) {
    test(`${given.map(({ name }) => name).join(', ')} → ${expected}`, () => {
      const { verdict, findings } = judge(recordingOf(), given);
      assert.equal(verdict, expected);
      assert.equal(findings.length, given.length);
    });
  }

  test('a criterion that throws says so, and the others are judged', () => {
    const { findings } = judge(recordingOf(), [breaking, giving('pass')]);
    assert.match(findings[0]?.measured ?? '', /out of order/);
    assert.equal(findings[1]?.verdict, 'pass');
    assert.equal(worstVerdict([]), 'unknown');
  });

  test('the worst case comes first', () => {
    assert.deepEqual(
      worstFirst([3, 1, 12, 7], (value) => value),
      [12, 7, 3, 1],
    );
  });

  test('of several proxies the worst view counts, and is named when they differ', () => {
    const { tables, events, listens, closes } = recordingOf();
    const others = ['proxy-2', 'proxy-3'].map((proxy) => ({ proxy, tables, events, listens, closes }));
    const recording = recordingOf({ with: { others } });
    const bad: Criterion = {
      name: 'bad second',
      limit: 'none',
      assess: (seen) => {
        const isBad = seen.recording.proxy === 'proxy-2';
        return { measured: isBad ? 'bad' : 'good', n: 1, troubles: isBad ? [CERTAIN] : [] };
      },
    };
    const { verdict, findings } = judge(recording, [seeing('same', { measured: 'same' }), bad]);
    assert.equal(verdict, 'fail');
    assert.deepEqual(
      findings.map(({ measured }) => measured),
      ['same', 'proxy-2: bad'],
    );
  });

  test('no finding has more than ten details', () => {
    const talking = seeing('talking', { isOpen: true, details: Array<string>(11).fill('x') });
    assert.equal(judge(recordingOf(), [talking]).findings[0]?.details.length, 10);
  });
});

describe('what a scenario is judged by', () => {
  const namesOf = (scenario: string, kind?: FaultKind): string[] => {
    const faults = kind === undefined ? [] : [{ ...FAULT_PLAN(), kind }];
    return criteriaOf({ ...emptyRecording().plan, scenario, faults }).map(({ name }) => name);
  };
  for (const { name } of SCENARIOS) {
    test(`${name}: answers in time, whatever it does`, () => {
      assert.ok(namesOf(name).includes('answered in time'));
    });
  }
  const stop = 'nothing in flight lost by a stop';
  test('a tour is judged by a stop of the proxy when it has one', () => {
    assert.ok(namesOf('tour', 'proxy-stop').includes(stop));
    assert.ok(!namesOf('tour', 'kill').includes(stop));
  });
});

describe('nearest rank', () => {
  const upTo = (n: number): number[] => Array.from({ length: n }, (_, at) => n - at);
  const table: [number[], number, number][] = [
    [[7], 50, 7],
    [[7], 99, 7],
    [upTo(20), 95, 19],
    [upTo(19), 95, 19],
    [upTo(21), 95, 20],
    [upTo(100), 99, 99],
    [upTo(101), 99, 100],
    [upTo(10), 50, 5],
    [upTo(10), 100, 10],
    [[10, 9, 100], 100, 100],
  ];
  for (const [values, p, expected] of table) {
    test(`p${p} of ${values.length}: ${expected}`, () => assert.equal(percentile(values, p), expected));
  }
  test('of nothing there is none, and the values stay as they are', () => {
    assert.ok(Number.isNaN(percentile([], 99)));
    const values = [3, 1, 2];
    percentile(values, 50);
    assert.deepEqual(values, [3, 1, 2]);
  });
});

test('a run that a person has ended is unknown, whatever was found; one that broke off by itself is not excused', () => {
  const fails = seeing('always', { troubles: [CERTAIN] });
  const cut = (cutShort: string) => judge({ ...recordingOf(), cutShort }, [fails]);
  assert.equal(cut(INTERRUPTED).verdict, 'unknown');
  assert.match(cut(INTERRUPTED).findings[0]?.details[0] ?? '', /would be a fail, but it was interrupted/);
  assert.equal(cut('the load generator did not end in good order').verdict, 'fail');
});
