import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  during,
  emptyRecording,
  type FaultSketch,
  recordingOf,
  type Sketch,
  testCases,
} from '../../../test-support/chaos/recording-builder.ts';
import type { RequestRow } from '../journal.ts';
import { judge } from './judge.ts';
import { latencyOfOthers, othersUntouched } from './latency.ts';
import { noStray } from './replies.ts';

const KILL: FaultSketch = { kind: 'kill', hits: [['a1', 6000, 8000, 8200]] };

/** Policy 2 has so much latency in the faults, and 2 ms otherwise. */
const policy2 = (latencyMs: number, span: [number, number] = [6000, 9200.5]): Sketch => ({
  faults: [KILL],
  traffic: during(span, '2', { latencyMs }),
});

testCases(othersUntouched, [
  ['as before', policy2(2), 'pass', /p99 2 ms \(n = \d+;.*control 2 ms/],
  ['at the floor: control + 10 ms', policy2(12), 'pass'],
  ['above the floor', policy2(12.1), 'fail', /p99 12\.1 ms/],
  ['until 1 s after the last heal', policy2(50, [9190, 9195]), 'pass'],
  ['slow before the faults', policy2(50, [5000, 6000]), 'pass'],
  ['slow 1 s after the last heal', policy2(50, [9210, 12_000]), 'pass'],
  ['one slow request in a hundred and sixty is above p99', policy2(50, [7000, 7020]), 'pass'],
  ['two are not', policy2(50, [7000, 7040]), 'fail'],
  [
    'the hit policy may be slow',
    { faults: [KILL], traffic: during([6000, 9000], '1', { latencyMs: 500 }) },
    'pass',
  ],
  [
    'an error',
    { faults: [KILL], traffic: during([7000, 7020], '2', { outcome: 'error' }) },
    'fail',
    /1 of 950 requests went wrong/,
  ],
  [
    'a loss long after',
    { faults: [KILL], traffic: during([19_000, 19_020], '2', { outcome: 'lost' }) },
    'fail',
  ],
  [
    'an error in the warm-up',
    { faults: [KILL], traffic: during([0, 1000], '2', { outcome: 'error' }) },
    'pass',
  ],
  [
    'a service was scaled',
    {
      faults: [{ kind: 'scale', hits: [], targets: ['server-p1'], injectMs: 6000, healedMs: 8000 }],
      traffic: during([6000, 8000], '1', { latencyMs: 500 }),
    },
    'pass',
    /policy 2/,
  ],
  [
    'planned, but none recorded',
    { plan: { faults: recordingOf({ faults: [KILL] }).plan.faults } },
    'unknown',
    /no fault/,
  ],
  [
    'no request of theirs',
    { faults: [KILL], traffic: (row) => (row.policy === '2' ? null : row) },
    'unknown',
    /no answer to compare/,
  ],
  ['no control phase', { faults: [KILL], with: { phases: [] } }, 'unknown'],
  [
    'an error and no control phase',
    { faults: [KILL], with: { phases: [] }, traffic: during([7000, 7020], '2', { outcome: 'lost' }) },
    'fail',
  ],
  [
    'never healed: until the end',
    {
      faults: [{ kind: 'kill', hits: [['a1', 6000, null]] }],
      traffic: during([15_000, 20_000], '2', { latencyMs: 50 }),
    },
    'fail',
  ],
  ['nothing recorded', { ...emptyRecording(), plan: recordingOf({ faults: [KILL] }).plan }, 'unknown'],
]);

/** 40 ms in the control phase, where 1.5 times that is the limit, and not 10 ms more. */
const slowControl = (latencyMs: number): Sketch => ({
  faults: [KILL],
  traffic: (row) => ({ ...row, latencyMs: row.dueMs < 6000 ? 40 : latencyMs }),
});
testCases(othersUntouched, [
  ['at 1.5 × control', slowControl(60), 'pass'],
  ['above it', slowControl(60.1), 'fail'],
]);

const INAPPLICABLE: [name: string, sketch: Sketch][] = [
  ['every policy was hit', { faults: [KILL, { kind: 'kill', hits: [['b2', 6000, 8000]] }] }],
  ['the proxy was hit', { faults: [{ kind: 'proxy-stop', hits: [['proxy', 6000, 8000]] }] }],
  ['no fault was planned', {}],
];
for (const [name, sketch] of INAPPLICABLE) {
  test(`policies without a fault: ${name}, so it does not apply and is not counted`, () => {
    const { verdict, findings } = judge(recordingOf(sketch), [othersUntouched, noStray]);
    assert.deepEqual(
      findings.map(({ criterion }) => criterion),
      ['no stray answer'],
    );
    assert.equal(verdict, 'pass');
  });
}

const SLOW: FaultSketch = { kind: 'slow', hits: [['a1', 6000, 8000]] };
const slowIf = (isSlow: (row: RequestRow) => boolean): Sketch => ({
  faults: [SLOW],
  traffic: (row) => (row.dueMs >= 6000 && row.dueMs < 9000 && isSlow(row) ? { ...row, latencyMs: 202 } : row),
});
testCases(latencyOfOthers, [
  ['only the slow one is slow', slowIf(({ detail }) => detail === 'a1'), 'pass'],
  ['its neighbour too', slowIf(({ detail }) => detail === 'a2'), 'fail', /policy 1: p99 202 ms/],
  ['another policy too', slowIf(({ detail }) => detail === 'b1'), 'fail', /policy 2: p99 202 ms/],
  [
    'errors are no answers',
    { faults: [SLOW], traffic: during([6000, 9000], '1', { outcome: 'error', latencyMs: 500 }) },
    'unknown',
  ],
  [
    'a policy without others is left out',
    {
      faults: [
        {
          kind: 'slow',
          hits: [
            ['a1', 6000, 8000],
            ['a2', 6000, 8000],
          ],
        },
      ],
    },
    'pass',
    /policy 2/,
  ],
  [
    'no others at all',
    {
      faults: [
        {
          kind: 'slow',
          hits: [
            ['a1', 6000, 8000],
            ['a2', 6000, 8000],
            ['b1', 6000, 8000],
            ['b2', 6000, 8000],
          ],
        },
      ],
    },
    'unknown',
  ],
]);
