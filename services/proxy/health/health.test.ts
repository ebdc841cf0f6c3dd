import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ProbeOutcome } from '../servers/failure.ts';
import { CAUSES, type Cause, type Evidence } from './cause.ts';
import { type Health, newcomer, type Signal, type State, step, type Thresholds } from './health.ts';

const THRESHOLDS: Thresholds = {
  fall: 2,
  rise: 2,
  forgetAfterMs: 60_000,
};
const probe = (outcome: ProbeOutcome): Signal => ({ kind: 'probe', outcome, roundTripMs: 1 });
const PASS = probe('pass');
const TIMEOUT = probe('timeout');
const REFUSED = probe('refused');
const LEASE_LOST: Signal = { kind: 'lease-lost', why: 'its session ended' };
const BAD_REQUEST: Signal = { kind: 'bad-request', failure: 'reset', request: 'of client 1 (9 bytes)' };
const passAfter = (failedInARow: number): Signal => ({
  kind: 'probe',
  outcome: 'pass',
  roundTripMs: 1,
  failedInARow,
});
const OUTLIER: Signal = { kind: 'failed-in-a-row', count: 5 };
const SILENCE: Signal = { kind: 'silence', request: 'of client 1 (9 bytes)' };
const LOCAL = probe('local');
const share = (failed: number, of: number): Signal => ({ kind: 'failed-share', failed, of });
const LIE: Signal = { kind: 'wrong-answer' };
const PENALTY_OVER: Signal = { kind: 'penalty-over' };
const TRIAL_PASSED: Signal = { kind: 'trial-passed' };
const TRIAL_FAILED: Signal = { kind: 'trial-failed', failure: 'silent' };
const TICK: Signal = { kind: 'tick' };
const DISPLACED: Signal = { kind: 'displaced' };
const CALLED: Signal = { kind: 'called' };
const hasPlace = (): boolean => true;

function run(signals: readonly Signal[], { isLastReady = false, nowMs = 0, random = 0.5 } = {}): Health {
  return signals.reduce(
    (health, signal) => step(health, signal, THRESHOLDS, { nowMs, isLastReady, hasPlace, random }),
    newcomer(0, 'registered'),
  );
}

// The same, with the time of each signal.
function runAt(history: readonly [number, Signal][], start = newcomer(0, 'registered')): Health {
  return history.reduce(
    (health, [nowMs, signal]) =>
      step(health, signal, THRESHOLDS, { nowMs, isLastReady: false, hasPlace, random: 0.5 }),
    start,
  );
}

describe('each change of state has one cause, and what it was decided from', () => {
  const served = [PASS, BAD_REQUEST];
  const request = 'of client 1 (9 bytes)';
  const table: [Cause, Signal[], State, Evidence][] = [
    ['probe-passed', [PASS], 'ready', {}],
    ['probe-passed', [PASS, LEASE_LOST, PASS], 'ready', { before: 'session-lost' }],
    ['probe-passed', [PASS, SILENCE, PASS], 'trial', { before: 'request-silent' }],
    ['probe-passed', [PASS, REFUSED, PASS, PASS], 'ready', { probesInARow: 2 }],
    ['probe-refused', [PASS, REFUSED], 'evicted', { probesInARow: 1 }],
    [
      'probe-refused',
      [...served, REFUSED],
      'evicted',
      { probesInARow: 1, before: 'request-failed', failure: 'reset', request },
    ],
    [
      'probe-reset',
      [PASS, OUTLIER, LEASE_LOST, probe('reset')],
      'evicted',
      { probesInARow: 1, before: 'failed-in-a-row', failedInARow: 5, ejections: 1, penaltyMs: 1000 },
    ],
    ...(['timeout', 'closed', 'unreachable', 'garbled', 'wrong-digest', 'untrusted'] as const).map(
      (outcome): [Cause, Signal[], State, Evidence] => [
        `probe-${outcome}`,
        [PASS, TIMEOUT, probe(outcome)],
        'evicted',
        { probesInARow: 2 },
      ],
    ),
    ['probe-somebody-else', [PASS, probe('somebody-else')], 'evicted', { probesInARow: 1 }],
    ['session-lost', [PASS, LEASE_LOST], 'suspect', { session: 'its session ended' }],
    ['request-failed', served, 'suspect', { failure: 'reset', request }],
    ['request-silent', [PASS, SILENCE], 'suspect', { request }],
    ['failed-in-a-row', [PASS, OUTLIER], 'ejected', { failedInARow: 5, ejections: 1, penaltyMs: 1000 }],
    ['failed-in-a-row', [...served, passAfter(5)], 'trial', { failedInARow: 5 }],
    ['failed-share', [PASS, share(10, 20)], 'ejected', { failed: 10, of: 20, ejections: 1, penaltyMs: 1000 }],
    ['wrong-answers', [PASS, LIE, LIE], 'ejected', { wrongAnswers: 2, ejections: 1, penaltyMs: 1000 }],
    ['penalty-over', [PASS, OUTLIER, PENALTY_OVER], 'trial', { before: 'failed-in-a-row' }],
    ['trial-passed', [PASS, OUTLIER, PENALTY_OVER, TRIAL_PASSED], 'ready', {}],
    [
      'trial-failed',
      [PASS, OUTLIER, PENALTY_OVER, TRIAL_FAILED],
      'ejected',
      { failure: 'silent', ejections: 2, penaltyMs: 2000 },
    ],
    ['last-of-policy', [PASS, OUTLIER, { kind: 'needed' }], 'ready', { before: 'failed-in-a-row' }],
    ['leave', [PASS, { kind: 'leave' }], 'leaving', {}],
    ['outside-subset', [PASS, DISPLACED], 'standby', {}],
    ['stepped-in', [PASS, DISPLACED, CALLED], 'suspect', {}],
  ];
  for (const [cause, signals, state, evidence] of table) {
    test(`${state}: ${cause}`, () => {
      const health = run(signals);
      assert.deepEqual([health.state, health.cause, health.evidence], [state, cause, evidence]);
    });
  }

  test('forgotten', () => {
    const never = runAt([[10_000, TICK]]);
    assert.deepEqual([never.cause, never.evidence], ['never-ready', { waitedMs: 10_000 }]);
    const gone = runAt([
      [0, PASS],
      [0, REFUSED],
      [60_000, TICK],
    ]);
    assert.deepEqual(
      [gone.cause, gone.evidence],
      ['not-back', { waitedMs: 60_000, before: 'probe-refused' }],
    );
  });

  test('the table above has every cause but those that the registry gives', () => {
    const own = ['registered', 'registered-again', 'moved', 'address-taken', 'table-full', 'left', 'ordered'];
    const seen = [...table.map(([cause]) => cause), 'never-ready', 'not-back', ...own];
    assert.deepEqual([...new Set(seen)].sort(), [...CAUSES].sort());
  });
});

describe('one step after another', () => {
  const table: [string, Signal[], State][] = [
    ['a new server is admitted by one pass', [PASS], 'ready'],
    ['a new server that refuses goes on trying', [REFUSED, REFUSED, REFUSED], 'joining'],
    ['a refused probe evicts at once', [PASS, REFUSED], 'evicted'],
    ['one timeout does not evict', [PASS, TIMEOUT], 'ready'],
    ['one that stands by goes on passing its probes', [PASS, DISPLACED, PASS, PASS], 'standby'],
    ['a lost session alone is not enough to evict it', [PASS, DISPLACED, LEASE_LOST, PASS], 'standby'],
    ['a probe that fails then is', [PASS, DISPLACED, LEASE_LOST, TIMEOUT], 'evicted'],
    ['it steps in when a probe has passed', [PASS, DISPLACED, CALLED, PASS], 'ready'],
    ['not when it is dead', [PASS, DISPLACED, CALLED, REFUSED], 'evicted'],
    ['only one that stands by can be called', [PASS, CALLED], 'ready'],
    ['one that is out for a reason has no place to lose', [PASS, REFUSED, DISPLACED], 'evicted'],
    ["what the proxy's own machine lacks says nothing of a server", [PASS, LOCAL, LOCAL, LOCAL], 'ready'],
    ['half of 20 requests that failed eject', [PASS, share(10, 20)], 'ejected'],
    ['also one that is just being looked at', [PASS, BAD_REQUEST, share(10, 20)], 'ejected'],
    ['fewer do not', [PASS, share(9, 20)], 'ready'],
    ['nor half of fewer', [PASS, share(19, 19)], 'ready'],
    ['silence is looked into', [PASS, SILENCE], 'suspect'],
    ['a probe tells slow from dead, and one real request the rest', [PASS, SILENCE, PASS], 'trial'],
    ['which brings it back', [PASS, SILENCE, PASS, TRIAL_PASSED], 'ready'],
    ['or takes it out', [PASS, SILENCE, PASS, TRIAL_FAILED], 'ejected'],
    ['two timeouts in a row evict', [PASS, TIMEOUT, TIMEOUT], 'evicted'],
    ['a probe that could not be made says nothing', [PASS, TIMEOUT, probe('local'), probe('local')], 'ready'],
    ['and resets no count', [PASS, TIMEOUT, probe('local'), TIMEOUT], 'evicted'],
    ['a pass in between resets the count', [PASS, TIMEOUT, PASS, TIMEOUT], 'ready'],
    [
      'a reset, a closed connection, a wrong digest and garbage count like a timeout',
      [PASS, probe('reset'), probe('wrong-digest')],
      'evicted',
    ],
    ['unreachable counts', [PASS, probe('unreachable'), probe('garbled')], 'evicted'],
    ['one at whose address another server answers goes at once', [PASS, probe('somebody-else')], 'evicted'],
    ['an evicted server needs two passes', [PASS, REFUSED, PASS], 'evicted'],
    ['and comes back with the second', [PASS, REFUSED, PASS, PASS], 'ready'],
    ['a failure in between resets the passes', [PASS, REFUSED, PASS, TIMEOUT, PASS], 'evicted'],
    ['a lost lease makes suspect', [PASS, LEASE_LOST], 'suspect'],
    ['a pass clears a suspect', [PASS, LEASE_LOST, PASS], 'ready'],
    ['a suspect that refuses is evicted', [PASS, LEASE_LOST, REFUSED], 'evicted'],
    ['the lost lease counts as the first failure', [PASS, LEASE_LOST, TIMEOUT], 'evicted'],
    ['a cleared suspect starts from none', [PASS, LEASE_LOST, PASS, TIMEOUT], 'ready'],
    ['a bad request makes suspect', [PASS, BAD_REQUEST], 'suspect'],
    ['a newcomer has no lease to lose', [LEASE_LOST], 'joining'],
    ['five failed requests in a row eject', [PASS, OUTLIER], 'ejected'],
    ['four do not', [PASS, { kind: 'failed-in-a-row', count: 4 }], 'ready'],
    [
      'a suspect that a probe clears is tried once more when five had failed',
      [PASS, BAD_REQUEST, passAfter(5)],
      'trial',
    ],
    ['and not when four had', [PASS, BAD_REQUEST, passAfter(4)], 'ready'],
    ['a trial that fails then ejects', [PASS, BAD_REQUEST, passAfter(5), TRIAL_FAILED], 'ejected'],
    ['the penalty ends in a trial', [PASS, OUTLIER, { kind: 'penalty-over' }], 'trial'],
    [
      'a trial that passes ends well',
      [PASS, OUTLIER, { kind: 'penalty-over' }, { kind: 'trial-passed' }],
      'ready',
    ],
    [
      'a trial that fails ejects again',
      [PASS, OUTLIER, { kind: 'penalty-over' }, { kind: 'trial-failed', failure: 'silent' }],
      'ejected',
    ],
    ['a passed probe does not end a penalty', [PASS, OUTLIER, PASS], 'ejected'],
    ['a penalty that ends after a failed probe goes on', [PASS, OUTLIER, TIMEOUT, PENALTY_OVER], 'ejected'],
    ['until the second failed one evicts', [PASS, OUTLIER, TIMEOUT, PENALTY_OVER, TIMEOUT], 'evicted'],
    ['an ejection forgets no failed probe', [PASS, TIMEOUT, OUTLIER, TIMEOUT], 'evicted'],
    ['nor does being needed', [PASS, OUTLIER, TIMEOUT, { kind: 'needed' }, TIMEOUT], 'evicted'],
    ['an answered trial does', [PASS, OUTLIER, PENALTY_OVER, TIMEOUT, TRIAL_PASSED, TIMEOUT], 'ready'],
    ['an ejected server that refuses is evicted', [PASS, OUTLIER, REFUSED], 'evicted'],
    ['a cut session does not end a penalty', [PASS, OUTLIER, LEASE_LOST, PASS], 'ejected'],
    ['but counts as the first failure', [PASS, OUTLIER, LEASE_LOST, TIMEOUT], 'evicted'],
    ['one wrong answer does not eject', [PASS, LIE], 'ready'],
    ['two do', [PASS, LIE, LIE], 'ejected'],
    ['whatever probes say in between', [PASS, LIE, PASS, LIE], 'ejected'],
    ['wrong answers before and after a suspicion add up', [PASS, LIE, LEASE_LOST, PASS, LIE], 'ejected'],
    ['an ejected server that is needed comes back', [PASS, OUTLIER, { kind: 'needed' }], 'ready'],
    [
      'a leaving server stays leaving',
      [PASS, { kind: 'leave' }, PASS, REFUSED, LEASE_LOST, BAD_REQUEST],
      'leaving',
    ],
  ];
  for (const [name, signals, expected] of table) test(name, () => assert.equal(run(signals).state, expected));

  test('a probe that passes after the end of a penalty starts the trial', () => {
    const ejected = runAt([
      [0, PASS],
      [0, OUTLIER],
      [500, TIMEOUT],
      [5000, PENALTY_OVER],
    ]);
    assert.equal(ejected.state, 'ejected');
    assert.equal(runAt([[5500, PASS]], ejected).state, 'trial');
  });
});

test('who would come into the rotation and has no place in the subset stands by', () => {
  const outside = { nowMs: 0, isLastReady: false, hasPlace: () => false, random: 0.5 };
  const after = (signals: Signal[], last: Signal): Health => step(run(signals), last, THRESHOLDS, outside);
  const joined = after([], PASS);
  assert.deepEqual([joined.state, joined.cause], ['standby', 'outside-subset']);
  assert.equal(after([PASS, BAD_REQUEST], PASS).state, 'standby');
  assert.equal(after([PASS, REFUSED, PASS], PASS).state, 'standby');
  assert.equal(after([PASS, OUTLIER], PENALTY_OVER).state, 'standby');
  // One that is in rotation is put out by `displaced` alone.
  assert.equal(after([PASS, OUTLIER, PENALTY_OVER], TRIAL_PASSED).state, 'ready');
  assert.equal(after([PASS], PASS).state, 'ready');
});

test('evidence from traffic never takes out the last ready server, probes may', () => {
  assert.equal(run([PASS, BAD_REQUEST], { isLastReady: true }).state, 'ready');
  assert.equal(run([PASS, OUTLIER], { isLastReady: true }).state, 'ready');
  assert.equal(run([PASS, LEASE_LOST, passAfter(5)], { isLastReady: true }).state, 'ready');
  assert.equal(run([PASS, LIE, LIE, LIE], { isLastReady: true }).state, 'ready');
  const onTrial = run([PASS, OUTLIER, PENALTY_OVER]);
  const at = { nowMs: 0, isLastReady: true, hasPlace, random: 0 };
  assert.equal(step(onTrial, TRIAL_FAILED, THRESHOLDS, at).state, 'ready');
  assert.equal(run([PASS, REFUSED], { isLastReady: true }).state, 'evicted');
  assert.equal(run([PASS, LEASE_LOST], { isLastReady: true }).state, 'suspect');
});

test('a server that is suspected again and again is cleared later each time', () => {
  let health = run([PASS]);
  const waitedMs: number[] = [];
  for (let nowMs = 1000; waitedMs.length < 10; nowMs += 1) {
    if (health.state === 'ready') {
      waitedMs.push(health.clearFromMs - (health.suspectedMs.at(-1) ?? 0));
      health = runAt([[nowMs, BAD_REQUEST]], health);
    }
    health = runAt([[nowMs, PASS]], health);
  }
  assert.deepEqual(waitedMs.slice(1), [0, 0, 0, 100, 200, 400, 800, 1600, 3200]);
  assert.equal(
    runAt(
      [
        [60_000, PASS],
        [60_000, BAD_REQUEST],
        [60_001, PASS],
      ],
      health,
    ).state,
    'ready',
  );
});

test('a suspicion that lasts is over when its policy has nobody else', () => {
  const suspected = runAt(
    Array.from({ length: 5 }, (): [number, Signal] => [0, BAD_REQUEST]).flatMap((bad): [number, Signal][] => [
      bad,
      [1000, PASS],
    ]),
    run([PASS]),
  );
  const waiting = runAt(
    [
      [1001, BAD_REQUEST],
      [1002, PASS],
    ],
    suspected,
  );
  assert.equal(waiting.state, 'suspect');
  assert.equal(
    runAt(
      [
        [1003, { kind: 'needed' }],
        [1004, PASS],
      ],
      waiting,
    ).state,
    'ready',
  );
});

test('slow requests one after the other suspect a server once a second at most, and never the last one', () => {
  const ready = run([PASS]);
  const cleared = runAt(
    [
      [100, SILENCE],
      [101, PASS],
      [101, TRIAL_PASSED],
    ],
    ready,
  );
  assert.equal(runAt([[1099, SILENCE]], cleared).state, 'ready');
  assert.equal(runAt([[1100, SILENCE]], cleared).state, 'suspect');
  assert.equal(run([PASS, SILENCE], { isLastReady: true }).state, 'ready');
  assert.equal(run([PASS, share(20, 20)], { isLastReady: true }).state, 'ready');
});

test('penalties double from 1 s to 60 s, with 10 % jitter', () => {
  const fail: Signal[] = [PENALTY_OVER, TRIAL_FAILED];
  const penalty = (times: number, random: number): number =>
    run([PASS, OUTLIER, ...Array.from({ length: times }, () => fail).flat()], { random }).penaltyEndsMs;
  assert.deepEqual(
    [0, 1, 2, 5, 6, 20].map((times) => penalty(times, 0.5)),
    [1000, 2000, 4000, 32_000, 60_000, 60_000],
  );
  assert.equal(penalty(0, 0), 900);
  assert.equal(penalty(0, 1), 1100);
});

describe('ejections are forgotten', () => {
  const ejectedTwice: [number, Signal][] = [
    [0, PASS],
    [0, OUTLIER],
    [1000, PENALTY_OVER],
    [1000, TRIAL_PASSED],
    [2000, OUTLIER],
    [4000, PENALTY_OVER],
  ];
  const penaltyMs = (history: [number, Signal][], ejectedMs: number): number =>
    runAt([...ejectedTwice, ...history, [ejectedMs, OUTLIER]]).penaltyEndsMs - ejectedMs;

  test('not by a trial that passes: a server that fails again and again stays out longer each time', () => {
    assert.equal(runAt(ejectedTwice.slice(0, 5)).penaltyEndsMs, 4000);
    assert.equal(penaltyMs([[4000, TRIAL_PASSED]], 4001), 4000);
  });

  test('after 60 s in rotation, not a moment sooner', () => {
    assert.equal(penaltyMs([[4000, TRIAL_PASSED]], 63_999), 4000);
    assert.equal(penaltyMs([[4000, TRIAL_PASSED]], 64_000), 1000);
  });

  test('not by a long wait for the trial request', () => {
    const failedLate: [number, Signal][] = [...ejectedTwice, [100_000, TRIAL_FAILED]];
    assert.equal(runAt(failedLate).penaltyEndsMs, 104_000);
    assert.equal(penaltyMs([[100_000, TRIAL_PASSED]], 100_001), 4000);
  });

  test('a suspicion in between does not start the 60 s anew, an eviction does', () => {
    const suspected: [number, Signal][] = [
      [4000, TRIAL_PASSED],
      [30_000, LEASE_LOST],
      [30_001, PASS],
    ];
    assert.equal(penaltyMs(suspected, 64_000), 1000);
    const evicted: [number, Signal][] = [
      [4000, TRIAL_PASSED],
      [30_000, REFUSED],
      [31_000, PASS],
      [32_000, PASS],
    ];
    assert.equal(penaltyMs(evicted, 64_000), 4000);
  });
});

test('wrong answers count for 10 s; who lies again soon after a penalty goes with the first lie', () => {
  const twoLies = (secondMs: number): Health =>
    runAt([
      [0, PASS],
      [0, LIE],
      [secondMs, LIE],
    ]);
  assert.equal(twoLies(10_000).state, 'ready');
  assert.equal(twoLies(9_999).state, 'ejected');
  assert.equal(twoLies(9_999).why, '2 wrong answers within 10 s: out for 1.0 s');
  const back = runAt(
    [
      [2000, PENALTY_OVER],
      [2000, TRIAL_PASSED],
    ],
    twoLies(1000),
  );
  assert.equal(runAt([[10_000, LIE]], back).why, '2 wrong answers within 10 s: out for 2.0 s');
  assert.equal(runAt([[11_000, LIE]], back).state, 'ready');
});

test('a server that never passes a probe is forgotten with what its last probe came to', () => {
  const detail = '40 hex digits wanted, 28 characters came';
  const failed: Signal = { kind: 'probe', outcome: 'wrong-digest', roundTripMs: 1, detail };
  const last = `the last probe: wrong-digest (${detail})`;
  assert.equal(
    runAt([
      [0, failed],
      [10_000, TICK],
    ]).why,
    `no probe passed in the 10 s since it registered, ${last}`,
  );
  const evicted: [number, Signal][] = [
    [0, PASS],
    [1, failed],
    [2, failed],
    [60_002, TICK],
  ];
  assert.equal(runAt(evicted).why, `it did not come back in 60 s, ${last}`);
});

test('who does not join within 10 s, or come back within 60 s, is forgotten', () => {
  const at = (health: Health, nowMs: number): State =>
    step(health, TICK, THRESHOLDS, { nowMs, isLastReady: false, hasPlace, random: 0.5 }).state;
  assert.equal(at(run([REFUSED]), 9_999), 'joining');
  assert.equal(at(run([REFUSED]), 10_000), 'forgotten');
  assert.equal(at(run([PASS, REFUSED]), 59_999), 'evicted');
  assert.equal(at(run([PASS, REFUSED]), 60_000), 'forgotten');
  assert.equal(at(run([PASS]), 1e9), 'ready');
});

test('an eviction says why', () => {
  assert.equal(run([PASS, REFUSED]).why, 'it refused the probe');
  assert.match(run([PASS, TIMEOUT, TIMEOUT]).why, /2 probes in a row failed, the last: timeout/);
  // A request that failed is no probe.
  assert.match(
    run([PASS, BAD_REQUEST, share(10, 20), TIMEOUT]).why,
    /^10 of .*, then the probe failed: timeout/,
  );
  assert.match(run([PASS, OUTLIER, TIMEOUT, TIMEOUT]).why, /2 probes in a row failed, the last: timeout/);
  assert.match(run([PASS, LEASE_LOST, TIMEOUT]).why, /its session ended, then the probe failed: timeout/);
});

test('property: only two passes bring an evicted server back, and nothing but a first pass admits a new one', () => {
  const signals = fc.array(
    fc.constantFrom(
      PASS,
      TIMEOUT,
      REFUSED,
      LEASE_LOST,
      BAD_REQUEST,
      OUTLIER,
      { kind: 'penalty-over' } as Signal,
      { kind: 'needed' } as Signal,
    ),
  );
  fc.assert(
    fc.property(signals, (history) => {
      let health = newcomer(0, '');
      let passes = 0;
      for (const signal of history) {
        const before = health.state;
        const isPass = signal === PASS;
        passes = isPass ? passes + 1 : signal.kind === 'probe' ? 0 : passes;
        health = step(health, signal, THRESHOLDS, { nowMs: 0, isLastReady: false, hasPlace, random: 0 });
        if (before === 'evicted' && health.state !== 'evicted')
          assert.ok(health.state === 'ready' && passes >= 2);
        if (before === 'joining' && health.state !== 'joining') assert.ok(health.state === 'ready' && isPass);
      }
    }),
  );
});
