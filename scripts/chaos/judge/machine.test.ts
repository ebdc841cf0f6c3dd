// What the machine kept from those at work: how much of it there was, and what it excuses in every criterion.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  busy,
  during,
  type EventSketch,
  type FaultSketch,
  recordingOf,
  type Sketch,
} from '../../../test-support/chaos/recording-builder.ts';
import type { Verdict } from '../../kit/verdict.ts';
import { INTERRUPTED, type MachineSample, type Recording } from '../journal.ts';
import { answeredByAnother, detection, outByTraffic } from './detection.ts';
import { evictionsAtMost, evictionsAtMostCrashes, falseEvictions, noEviction } from './evictions.ts';
import { type Criterion, judge } from './judge.ts';
import { latencyOfOthers, othersUntouched } from './latency.ts';
import { couldTell, leastMs, type Trouble, takenMs } from './machine.ts';
import { misrouted } from './misrouted.ts';
import { proxyKillLostInFlight, proxyStopNothingInFlightLost, proxyWhole } from './proxy.ts';
import { newServersServe, readmission, swapped } from './recovery.ts';
import { inTime, noErrors, noLost, noServerOnly, noStray, noWrong } from './replies.ts';
import { backInRotation, steadyControl } from './steady.ts';

const NAMES = { a1: 'server-p1-1', b1: 'server-p2-1' };
const sample = (atMs: number, waitMs: Record<string, number>, loadLagMs = 0): MachineSample => {
  return { atMs, loadLagMs, waitMs, conntrack: null };
};
const withMachine = (machine: MachineSample[]): Recording => recordingOf({ with: { machine, names: NAMES } });

describe('what the machine took', () => {
  const machine = [
    sample(1000, { 'proxy-1': 10 }),
    sample(1050, { 'proxy-1': 20, 'server-p1-1': 5 }, 3),
    sample(1100, { 'server-p1-1': 5, 'server-p2-1': 7 }),
    sample(1150, { 'proxy-1': 40 }),
    sample(1200, { 'proxy-1': 80 }),
  ];
  const table: [name: string, fromMs: number, toMs: number, servers: string[] | undefined, takes: number][] =
    [
      ['within one sample', 1010, 1040, undefined, 28],
      ['one more is looked at: a wait is told of when it is over', 1010, 1050, undefined, 23 + 10],
      ['of the servers the worst counts, added up', 1010, 1099, undefined, 23 + 10],
      ['only the servers that had to do with it', 1010, 1099, ['b1'], 23 + 7],
      ['none of them', 1010, 1099, [], 23],
      ['the generator and the proxy add up', 900, 1300, [], 153],
      ['before the first', 0, 900, [], 10],
      ['after the last', 1300, 2000, undefined, 0],
    ];
  for (const [name, fromMs, toMs, servers, takes] of table) {
    test(name, () => assert.equal(takenMs(withMachine(machine), { fromMs, toMs }, servers), takes));
  }

  test('without a calibration nothing', () => {
    assert.equal(takenMs(withMachine([]), { fromMs: 0, toMs: 9000 }), 0);
  });

  test('it is taken off what something took, down to nothing; never stays never', () => {
    const recording = withMachine(machine);
    assert.equal(leastMs(recording, 1010, 89), 89 - 33);
    assert.equal(leastMs(recording, 1160, 30), 0);
    assert.equal(leastMs(recording, 1010, Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY);
  });
});

describe('whether the machine could tell', () => {
  /** The proxy waits for this share of the time from 5 to 7 s. */
  const half = { with: { machine: busy([5000, 7000], 0.5, 'proxy-1') } };
  const table: [name: string, sketch: Sketch, trouble: Trouble, couldTell: boolean][] = [
    ['a calm machine, by a millisecond', {}, { fromMs: 5000, toMs: 6000, excessMs: 1 }, true],
    ['a calm machine, by nothing', {}, { fromMs: 5000, toMs: 6000, excessMs: 0 }, true],
    ['a calm machine, at all', {}, { fromMs: 5000, toMs: 6000 }, true],
    ['as much as was taken', half, { fromMs: 5000, toMs: 6000, excessMs: 500 }, false],
    ['more than was taken', half, { fromMs: 5000, toMs: 6000, excessMs: 600 }, true],
    ['something that never came', half, { fromMs: 5000, toMs: 6000, excessMs: Infinity }, true],
    ['before it was busy', half, { fromMs: 3000, toMs: 4000, excessMs: 1 }, true],
    ['at all, while half of each second was taken', half, { fromMs: 6500, toMs: 6500 }, false],
    ['at all, soon after', half, { fromMs: 9000, toMs: 9000 }, false],
    ['at all, long after', half, { fromMs: 9600, toMs: 9600 }, true],
    [
      'at all, with less than half taken',
      { with: { machine: busy([5000, 7000], 0.4, 'proxy-1') } },
      { fromMs: 6500, toMs: 6500 },
      true,
    ],
    [
      'a server that had nothing to do with it was kept waiting',
      { with: { machine: busy([5000, 7000], 1, 'server-p2-1') } },
      { fromMs: 6500, toMs: 6500, servers: ['a1'] },
      true,
    ],
    ['without a calibration', { with: { machine: [] } }, { fromMs: 5000, toMs: 6000 }, true],
  ];
  for (const [name, sketch, trouble, expected] of table) {
    test(name, () => assert.equal(couldTell(recordingOf(sketch), trouble), expected));
  }

  test('no trouble passes, one that can be told fails, else it is unknown and the notes say why', () => {
    const recording = recordingOf(half);
    const excused = { fromMs: 5000, toMs: 6000, excessMs: 10 };
    const plain = { fromMs: 1000, toMs: 2000, excessMs: 10 };
    const findingFor = (...troubles: Trouble[]) => {
      const criterion = { name: '', limit: '', assess: () => ({ measured: '', n: 1, troubles }) };
      return judge(recording, [criterion]).findings[0];
    };
    assert.equal(findingFor()?.verdict, 'pass');
    assert.deepEqual(findingFor()?.details, []);
    assert.equal(findingFor(excused, plain)?.verdict, 'fail');
    const finding = findingFor(excused);
    assert.equal(finding?.verdict, 'unknown');
    assert.match(
      finding?.details[0] ?? '',
      /^5\.000 s to 6\.000 s: the machine was too slow to tell, it kept \d+ ms/,
    );
  });
});

const KILL: FaultSketch = { kind: 'kill', hits: [['a1', 6000, 8000]] };
const PAUSE: FaultSketch = { kind: 'pause', hits: [['a1', 6000, 8000]] };
const STOP: FaultSketch = { kind: 'proxy-stop', hits: [['proxy', 6000, 7000, 7200]] };
const OUT: EventSketch = [6200, 'evicted', 'a1'];
const allBack = (atMs: number): EventSketch[] =>
  ['a1', 'a2', 'b1', 'b2'].flatMap((id): EventSketch[] => [
    [atMs - 5, 'registered', id, { boot: 1 }],
    [atMs, 'admitted', id, { boot: 1 }],
  ]);
const FLAPS: FaultSketch = { kind: 'flap', hits: [['a1', 6000, 6200]] };
const LOST = { outcome: 'lost', detail: 'timeout', latencyMs: 3000 } as const;

/** What fails on a calm machine, and is unknown where the machine was too slow. */
const BY_TIME: [Criterion, Sketch][] = [
  [detection({ kinds: ['kill'], p95Ms: 100, maxMs: 1750 }), { faults: [KILL], events: [OUT] }],
  [
    detection({ kinds: ['pause'], maxMs: 1000 }),
    { faults: [{ kind: 'pause', hits: [['a1', 6000, 6100]] }], events: [] },
  ],
  [readmission({ kinds: ['pause'] }), { faults: [PAUSE], events: [OUT, [11_000, 'admitted', 'a1']] }],
  [readmission({ kinds: ['kill'] }), { faults: [KILL], events: [OUT, [12_000, 'admitted', 'a1']] }],
  [proxyWhole, { faults: [STOP], events: allBack(9500) }],
  [inTime, { traffic: during([6000, 6010], null, { latencyMs: 2400 }) }],
  [
    latencyOfOthers,
    { faults: [KILL], events: [OUT], traffic: during([5000, 9500], null, { latencyMs: 40 }) },
  ],
  [othersUntouched, { faults: [KILL], events: [OUT], traffic: during([5000, 9500], '2', { latencyMs: 40 }) }],
  [
    othersUntouched,
    { faults: [KILL], traffic: during([6000, 6020], '2', { outcome: 'error', detail: 'NO_SERVER' }) },
  ],
  [
    answeredByAnother({ kinds: ['pause'] }),
    { faults: [PAUSE], events: [OUT], traffic: during([6000, 6010], '1', { latencyMs: 2200 }) },
  ],
  [
    answeredByAnother({ kinds: ['pause'] }),
    {
      faults: [PAUSE],
      events: [OUT],
      traffic: during([6000, 6010], '1', { outcome: 'error', detail: 'UPSTREAM_TIMEOUT' }),
    },
  ],
  [
    outByTraffic,
    {
      faults: [{ kind: 'mute', hits: [['a1', 6000, 9500]] }],
      events: [
        [6100, 'suspect', 'a1'],
        [8500, 'ejected', 'a1'],
      ],
    },
  ],
  [
    newServersServe,
    {
      faults: [{ kind: 'scale', hits: [['a1', 6000, 9000]] }],
      events: [
        [6500, 'registered', 'new', { policy: '1' }],
        [6600, 'admitted', 'new', { policy: '1' }],
      ],
      traffic: (row) => (row.detail === 'new' && row.dueMs < 8000 ? { ...row, detail: 'a2' } : row),
    },
  ],
  [noErrors, { traffic: during([6000, 6010], '1', { outcome: 'error', detail: 'UPSTREAM_TIMEOUT' }) }],
  [
    noServerOnly,
    {
      faults: [
        {
          kind: 'kill',
          hits: [
            ['a1', 6000, 8000],
            ['a2', 6000, 8000],
          ],
        },
      ],
      events: [OUT, [6200, 'evicted', 'a2'], [8000, 'registered', 'a1'], [8050, 'admitted', 'a1']],
      traffic: during([7000, 7010], '1', { outcome: 'error', detail: 'NO_SERVER', latencyMs: 900 }),
    },
  ],
  [noLost, { traffic: during([6000, 6010], null, LOST) }],
  [falseEvictions, { events: [OUT] }],
  [noEviction, { events: [OUT, [6300, 'admitted', 'a1']] }],
  [evictionsAtMost, { faults: [FLAPS], events: [OUT, [6300, 'admitted', 'a1'], [7000, 'evicted', 'a1']] }],
  [
    evictionsAtMostCrashes,
    {
      faults: [{ kind: 'exit', hits: [['a1', 6000, 6200]] }],
      events: [OUT, [6300, 'admitted', 'a1'], [7000, 'evicted', 'a1']],
    },
  ],
  [
    swapped,
    {
      faults: [
        {
          kind: 'swap',
          hits: [
            ['a1', 6000, 6500],
            ['b1', 6000, 6500],
          ],
        },
      ],
    },
  ],
  [proxyStopNothingInFlightLost, { faults: [STOP], traffic: during([6000, 6010], null, LOST) }],
];

/** From 5 s on everybody waits all the time. */
const STUCK: MachineSample[] = busy([5000, 20_000], 1, 'proxy-1');

function verdictOf(criterion: Criterion, sketch: Sketch, more: Partial<Recording> = {}): Verdict {
  const recording = recordingOf({ ...sketch, with: { ...sketch.with, ...more } });
  return judge(recording, [criterion]).verdict;
}

describe('fails on a calm machine, unknown on one that was too slow to tell', () => {
  for (const [criterion, sketch] of BY_TIME) {
    test(criterion.name, () => {
      assert.equal(verdictOf(criterion, sketch), 'fail');
      assert.equal(verdictOf(criterion, sketch, { machine: STUCK }), 'unknown');
    });
  }

  test('steady state: phase control', () => {
    const sketch = { traffic: during([2000, 2010], '1', { outcome: 'error', detail: 'NO_SERVER' }) } as const;
    assert.equal(verdictOf(steadyControl, sketch), 'fail');
    const machine = busy([1000, 5000], 1, 'proxy-1');
    assert.equal(verdictOf(steadyControl, sketch, { machine }), 'unknown');
  });

  test('back in rotation: who is missing; a share that is unfair without a doubt about a server fails all the same', () => {
    const missing: Sketch = { faults: [KILL], events: [OUT] };
    assert.equal(verdictOf(backInRotation, missing), 'fail');
    assert.equal(verdictOf(backInRotation, missing, { machine: STUCK }), 'unknown');
    const sticky: Sketch = {
      table: (seen) => ({
        ...seen,
        servers: seen.servers.map((each) => ({ ...each, sent: each.id === 'a2' ? 0 : each.sent })),
      }),
    };
    assert.equal(verdictOf(backInRotation, sticky, { machine: STUCK }), 'fail');
  });
});

describe('no machine is an excuse', () => {
  const table: [Criterion, Sketch][] = [
    [noWrong, { traffic: during([6000, 6010], null, { outcome: 'wrong' }) }],
    [noStray, { with: { strayAnswers: 1 } }],
    [misrouted, { faults: [KILL], events: [OUT, [8000, 'admitted', 'a1', { sent: 10_000 }]] }],
    [
      swapped,
      {
        faults: [
          {
            kind: 'swap',
            hits: [
              ['a1', 6000, 6500],
              ['b1', 6000, 6500],
            ],
          },
        ],
        events: [
          [7000, 'admitted', 'a1', { policy: '2' }],
          [7000, 'admitted', 'b1'],
        ],
      },
    ],
    [
      detection({ kinds: ['pause'], maxMs: 1000 }),
      { faults: [{ kind: 'pause', hits: [['a1', 6000, 18_000]] }] },
    ],
  ];
  for (const [criterion, sketch] of table) {
    test(criterion.name, () => {
      const machine = busy([5000, 12_000], 1, 'proxy-1');
      assert.equal(verdictOf(criterion, sketch, { machine }), 'fail');
    });
  }

  test('the wrong answer of a run that tested nothing, was ended, or had its connections tracked', () => {
    const wrong: Sketch = { traffic: during([6000, 6010], null, { outcome: 'wrong' }) };
    const full = busy([0, 1], 0, '').map((each) => ({ ...each, conntrack: 60_000 }));
    const planned = { plan: { faults: recordingOf({ faults: [KILL] }).plan.faults } };
    assert.equal(verdictOf(noWrong, { ...wrong, ...planned }), 'fail');
    assert.equal(verdictOf(noWrong, wrong, { machine: full }), 'fail');
    assert.equal(verdictOf(noWrong, wrong, { cutShort: INTERRUPTED }), 'fail');
  });
});

describe('a run that tested nothing, or was spoilt from outside, fails nobody', () => {
  const bad: Sketch = { traffic: during([6000, 6010], null, LOST) };
  const planned = { plan: { faults: recordingOf({ faults: [KILL] }).plan.faults } };

  test('the fault was never injected', () => {
    assert.equal(verdictOf(noLost, bad), 'fail');
    assert.equal(verdictOf(noLost, { ...bad, ...planned }), 'unknown');
  });

  test('no fault is proven', () => {
    assert.equal(verdictOf(noLost, { ...bad, faults: [{ ...KILL, isProven: false }] }), 'unknown');
    assert.equal(verdictOf(noLost, { ...bad, faults: [{ ...KILL, isProven: false }, PAUSE] }), 'fail');
  });

  test('another program’s connections fill the tracking table at any time of the run', () => {
    const machine = busy([0, 1], 0, '').map((each, at) => ({ ...each, conntrack: at === 7 ? 50_001 : 90 }));
    assert.equal(verdictOf(noLost, bad, { machine }), 'unknown');
    const [finding] = judge(recordingOf({ ...bad, with: { machine } }), [noLost]).findings;
    assert.match(finding?.details[0] ?? '', /would be a fail, but the kernel tracked 50001 connections/);
  });
});

describe('limits count from when it became possible', () => {
  test('a death: from the end of the process, not from the call', () => {
    const hit = { target: 'server-p1-1', serverId: 'a1', policy: '1', healMs: 8000, healedMs: 8000 };
    const slowCall: FaultSketch = { ...KILL, injectedMs: 6400 };
    const recording = recordingOf({ faults: [slowCall], events: [[6367, 'evicted', 'a1']] });
    const judged = detection({ kinds: ['kill'], p95Ms: 100, maxMs: 1750 });
    assert.equal(judge(recording, [judged]).verdict, 'fail');
    for (const fault of recording.faults) fault.hits = [{ ...hit, fromMs: 6000, struckMs: 6350 }];
    assert.equal(judge(recording, [judged]).verdict, 'pass');
  });

  test('a hit whose end nobody told: from the return of the call', () => {
    const recording = recordingOf({
      faults: [{ ...KILL, injectedMs: 6400 }],
      events: [[6450, 'evicted', 'a1']],
    });
    for (const hit of recording.faults.flatMap(({ hits }) => hits)) hit.struckMs = null;
    assert.equal(judge(recording, [detection({ kinds: ['kill'], maxMs: 60 })]).verdict, 'pass');
  });

  test('the table of the proxy: from when it listens; that it takes too long to listen is its own', () => {
    const whole = proxyWhole;
    const events = allBack(10_297);
    assert.equal(verdictOf(whole, { faults: [STOP], events }), 'fail');
    assert.equal(verdictOf(whole, { faults: [STOP], events }, { listens: [0, 9000] }), 'pass');
    assert.equal(verdictOf(whole, { faults: [STOP], events }, { listens: [0, 9500] }), 'fail');
  });

  test('a server that has died: from when it registers again', () => {
    const events: EventSketch[] = [OUT, [10_900, 'registered', 'a1'], [11_200, 'admitted', 'a1']];
    assert.equal(verdictOf(readmission({ kinds: ['kill'] }), { faults: [KILL], events }), 'pass');
    assert.equal(verdictOf(readmission({ kinds: ['pause'] }), { faults: [PAUSE], events }), 'fail');
  });

  test('a kill of the proxy: in flight until its process had ended', () => {
    const lost: Sketch['traffic'] = (row) =>
      row.dueMs >= 6100 && row.dueMs < 6200 ? { ...row, ...LOST } : row;
    const fault: FaultSketch = { kind: 'proxy-kill', hits: [['proxy', 6000, 7000, 7200]] };
    const recording = recordingOf({ faults: [fault], traffic: lost });
    assert.equal(judge(recording, [proxyKillLostInFlight]).verdict, 'fail');
    for (const hit of recording.faults.flatMap(({ hits }) => hits)) hit.struckMs = 6210;
    assert.equal(judge(recording, [proxyKillLostInFlight]).verdict, 'pass');
  });
});
