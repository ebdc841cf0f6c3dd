import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../shared/clock.ts';
import { LimitedLog } from '../../shared/log.ts';
import type { ProbeOutcome } from '../servers/failure.ts';
import { Upstream } from '../servers/upstream.ts';
import { newcomer, type State } from './health.ts';
import { HealthChecker, type HealthCheckerOptions } from './health-checker.ts';
import type { ProbeResult } from './prober.ts';

const OPTIONS: HealthCheckerOptions = { healthIntervalMs: 1000, fall: 2, rise: 2, forgetAfterMs: 60_000 };

// A checker whose probes come to what a test says, and whose time goes on when a test says so.
class Scene {
  nowMs = 1000;
  /** What has been waited for, in order: each probe is due after one of these. */
  readonly waits: number[] = [];
  readonly flips: State[] = [];
  probes = 0;
  readonly checker: HealthChecker;
  #due: (() => void) | null = null;
  #answer: (result: ProbeResult) => void = () => {};

  constructor(random = () => 0.5) {
    this.checker = new HealthChecker(OPTIONS, {
      probe: () => {
        this.probes += 1;
        return new Promise((resolve) => {
          this.#answer = resolve;
        });
      },
      clock: {
        ...systemClock,
        now: () => this.nowMs,
        after: (ms, work) => {
          this.waits.push(ms);
          this.#due = work;
          return () => {};
        },
      },
      random,
      isLastReady: () => false,
      hasPlace: () => true,
      onFlip: ({ health: { state } }) => this.flips.push(state),
      log: new LimitedLog(() => {}),
    });
  }

  watch(state: State = 'joining', { port = 1, keepsAlive = true } = {}): Upstream {
    const registration = { id: port, policy: '1', host: '10.0.0.1', port, keepsAlive, incarnation: null };
    const upstream = new Upstream(registration, 1, 1, { ...newcomer(this.nowMs, ''), state }, 0);
    this.checker.watch(upstream);
    return upstream;
  }

  /** The probe under way comes to this. */
  async answer(outcome: ProbeOutcome, detail = ''): Promise<void> {
    this.#answer({ outcome, roundTripMs: 1, answersAs: null, detail });
    await new Promise(setImmediate);
  }

  /** Goes on to the next probe. */
  begin(): void {
    this.nowMs += this.waits.at(-1) as number;
    this.#due?.();
  }

  /** Goes on to the next probe, which comes to this. */
  async next(outcome: ProbeOutcome, detail = ''): Promise<void> {
    this.begin();
    await this.answer(outcome, detail);
  }
}

test('a server that can not be probed for want of descriptors is not forgotten', async () => {
  const scene = new Scene();
  const upstream = scene.watch();
  await scene.answer('local', 'EMFILE');
  for (let probed = 0; probed < 30; probed += 1) await scene.next('local', 'EMFILE');
  assert.equal(upstream.health.state, 'joining');
  assert.match(
    upstream.health.why,
    /could not be probed yet: this machine has run out of something \(EMFILE\)/,
  );
  await scene.next('pass');
  assert.equal(upstream.health.state, 'ready');
});

test('servers that have registered at once are probed in all parts of the interval from then on', async () => {
  const servers = 200;
  const scene = new Scene(Math.random);
  for (let port = 1; port <= servers; port += 1) {
    scene.watch('joining', { port });
    await scene.answer('pass');
  }
  assert.equal(scene.waits.length, servers);
  for (let fromMs = 100; fromMs < 1000; fromMs += 180) {
    const due = scene.waits.filter((ms) => ms >= fromMs && ms < fromMs + 180).length;
    // A fifth of them, 40; a tenth of that is out of reach of chance.
    assert.ok(due > 4 && due < 100, `${due} between ${fromMs} and ${fromMs + 180} ms`);
  }
});

test('five real requests in a row that fail eject a server; an answer between them begins the row anew', () => {
  const scene = new Scene();
  const upstream = scene.watch('ready');
  const fail = (count: number): void => {
    for (let failed = 0; failed < count; failed += 1) {
      upstream.tally.failed += 1;
      scene.checker.onFailure(upstream, 'silent', null);
    }
  };
  fail(4);
  upstream.tally.served += 1;
  fail(4);
  assert.equal(upstream.health.state, 'ready');
  fail(1);
  assert.match(upstream.health.why, /^5 real requests in a row failed: out for/);
});

test('a probe that began before a request failed does not clear its server: another one follows at once', async () => {
  const scene = new Scene();
  const upstream = scene.watch('ready');
  scene.checker.onFailure(upstream, 'reset', null);
  await scene.answer('pass');
  assert.deepEqual([upstream.health.state, scene.probes, scene.waits], ['suspect', 2, []]);
  await scene.answer('pass');
  assert.deepEqual(scene.flips, ['suspect', 'ready']);
});

test('after a probe that failed the next comes sooner', async () => {
  const scene = new Scene();
  scene.watch('ready');
  await scene.answer('pass');
  await scene.next('timeout');
  await scene.next('pass');
  assert.deepEqual(scene.waits.slice(1), [250, 1000]);
});

test('a server that joins is probed again soon, and then less and less often', async () => {
  const scene = new Scene();
  scene.watch();
  await scene.answer('refused');
  for (let probed = 0; probed < 6; probed += 1) await scene.next('refused');
  assert.deepEqual(scene.waits, [50, 100, 200, 400, 800, 1000, 1000]);
});

test('a server that has been evicted is forgotten when it does not come back', async () => {
  const scene = new Scene();
  scene.watch('ready');
  await scene.answer('refused');
  while (scene.nowMs < 60_000) await scene.next('refused');
  assert.deepEqual(scene.flips, ['evicted']);
  await scene.next('refused');
  await scene.next('refused');
  assert.deepEqual(scene.flips, ['evicted', 'forgotten']);
});

test('a server that takes one request at a time may have the probe wait, as long as it answers requests', async () => {
  const scene = new Scene();
  const upstream = scene.watch('ready', { keepsAlive: false });
  for (let probed = 0; probed < 4; probed += 1) {
    upstream.tally.served += 1;
    await scene.answer('timeout');
    assert.deepEqual(scene.flips, []);
    scene.begin();
  }
  await scene.answer('timeout');
  await scene.next('timeout');
  assert.deepEqual(scene.flips, ['evicted']);
});
