// test · probes over a network that fails on our own side, and what that does to a server: nothing.
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { describe, test } from 'node:test';
import { type Clock, systemClock } from '../../shared/clock.ts';
import { PROBE_PAYLOAD } from '../../shared/health-probe.ts';
import { LimitedLog } from '../../shared/log.ts';
import type { DialledConnection, Network } from '../network/network.ts';
import type { ProbeOutcome } from '../servers/failure.ts';
import { Upstream } from '../servers/upstream.ts';
import { newcomer } from './health.ts';
import { HealthChecker } from './health-checker.ts';
import { describeDigest, probe } from './prober.ts';

const TARGET = {
  host: '127.0.0.1',
  port: 9,
  policyAsWritten: 1,
  asksForSession: false,
  keepsAlive: false,
  answersAs: null,
};

// Every connection fails before it stands.
function failingNetwork(code: string): Network {
  const connect = (): DialledConnection => {
    const socket = Object.assign(new EventEmitter(), { destroy: () => {} });
    setImmediate(() => socket.emit('error', Object.assign(new Error(code), { code })));
    return socket as unknown as DialledConnection;
  };
  return { connect, listen: () => Promise.reject(new Error('nobody listens here')) };
}

describe('an error of the system while the probe is made', () => {
  const cases: [code: string, outcome: ProbeOutcome][] = [
    ['EMFILE', 'local'],
    ['ENFILE', 'local'],
    ['ENOBUFS', 'local'],
    ['ENOMEM', 'local'],
    ['EADDRNOTAVAIL', 'local'],
    ['ECONNREFUSED', 'refused'],
    ['EHOSTUNREACH', 'unreachable'],
  ];
  for (const [code, expected] of cases) {
    test(`${code} is ${expected}`, async () => {
      const { outcome, detail } = await probe(TARGET, {
        probe: 'request',
        healthTimeoutMs: 1000,
        isAnotherServer: () => false,
        network: failingNetwork(code),
        clock: systemClock,
      });
      assert.equal(outcome, expected);
      if (expected !== 'refused') assert.equal(detail, code);
    });
  }
});

test('an id that is not UTF-8 does not fail a probe: the answers with it are passed on as they are', async () => {
  const digest = hash('sha1', PROBE_PAYLOAD);
  const answer = Buffer.from(`{"type":2,"srcid":"M\u00fcller","payload":"${digest}"}\n`, 'latin1');
  const connect: Network['connect'] = (_host, _port, onConnected, onRead) => {
    const socket = Object.assign(new EventEmitter(), { destroy: () => {}, write: () => onRead(answer) });
    setImmediate(onConnected);
    return socket as unknown as DialledConnection;
  };
  const { outcome, detail } = await probe(
    { ...TARGET, keepsAlive: true },
    {
      probe: 'request',
      healthTimeoutMs: 1000,
      isAnotherServer: () => false,
      network: { ...failingNetwork(''), connect },
      clock: systemClock,
    },
  );
  assert.deepEqual([outcome, detail], ['pass', '']);
});

test('a digest that is wrong is described by what is wrong with it', () => {
  const wanted = 'aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d';
  const base64 = Buffer.from(wanted, 'hex').toString('base64');
  assert.equal(describeDigest(base64, wanted), '40 hex digits wanted, 28 characters came');
  assert.match(describeDigest(wanted.toUpperCase(), wanted), /upper-case, and lower-case ones are wanted/);
  assert.match(describeDigest(wanted.replace('a', '\n'), wanted), /^its payload is "\\naf4/);
});

test('a server that can not be probed for want of descriptors is not forgotten', async () => {
  let nowMs = 0;
  const due: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    now: () => nowMs,
    after: (_ms, work) => {
      due.push(work);
      return () => {};
    },
  };
  const registration = { id: 1, policy: '1', host: '10.0.0.1', port: 1, keepsAlive: true, incarnation: null };
  const upstream = new Upstream(registration, 1, 1, newcomer(0, ''), 0);
  let outcome: ProbeOutcome = 'local';
  const checker = new HealthChecker(
    { healthIntervalMs: 1000, fall: 2, rise: 2, forgetAfterMs: 60_000 },
    {
      probe: async () => ({ outcome, roundTripMs: 1, answersAs: null, detail: 'EMFILE' }),
      clock,
      random: () => 0.5,
      isLastReady: () => false,
      hasPlace: () => true,
      onFlip: () => {},
      log: new LimitedLog(() => {}),
    },
  );
  checker.watch(upstream);
  const nextProbe = async (): Promise<void> => {
    await new Promise(setImmediate);
    due.splice(0).at(-1)?.();
    await new Promise(setImmediate);
  };
  for (let probed = 0; probed < 30; probed += 1) {
    nowMs += 1000;
    await nextProbe();
  }
  assert.equal(upstream.health.state, 'joining');
  assert.match(
    upstream.health.why,
    /could not be probed yet: this machine has run out of something \(EMFILE\)/,
  );
  outcome = 'pass';
  await nextProbe();
  assert.equal(upstream.health.state, 'ready');
});

test('servers that have registered at once are probed in all parts of the interval from then on', async () => {
  const delays: number[] = [];
  const servers = 200;
  const checker = new HealthChecker(
    { healthIntervalMs: 1000, fall: 2, rise: 2, forgetAfterMs: 60_000 },
    {
      probe: async () => ({ outcome: 'pass', roundTripMs: 1, answersAs: null, detail: '' }),
      clock: {
        ...systemClock,
        now: () => 0,
        after: (ms) => {
          delays.push(ms);
          return () => {};
        },
      },
      random: Math.random,
      isLastReady: () => false,
      hasPlace: () => true,
      onFlip: () => {},
      log: new LimitedLog(() => {}),
    },
  );
  for (let port = 1; port <= servers; port += 1) {
    const registration = {
      id: port,
      policy: '1',
      host: '10.0.0.1',
      port,
      keepsAlive: true,
      incarnation: null,
    };
    checker.watch(new Upstream(registration, 1, 1, newcomer(0, ''), 0));
  }
  await new Promise(setImmediate);
  assert.equal(delays.length, servers);
  for (let fromMs = 100; fromMs < 1000; fromMs += 180) {
    const due = delays.filter((ms) => ms >= fromMs && ms < fromMs + 180).length;
    // A fifth of them, 40; a tenth of that is out of reach of chance.
    assert.ok(due > 4 && due < 100, `${due} between ${fromMs} and ${fromMs + 180} ms`);
  }
});

test('five real requests in a row that fail eject a server; an answer between them begins the row anew', () => {
  const registration = { id: 1, policy: '1', host: '10.0.0.1', port: 1, keepsAlive: true, incarnation: null };
  const upstream = new Upstream(registration, 1, 1, { ...newcomer(0, ''), state: 'ready' }, 0);
  const checker = new HealthChecker(
    { healthIntervalMs: 1000, fall: 2, rise: 2, forgetAfterMs: 60_000 },
    {
      probe: () => new Promise(() => {}),
      clock: { ...systemClock, after: () => () => {} },
      random: () => 0.5,
      isLastReady: () => false,
      hasPlace: () => true,
      onFlip: () => {},
      log: new LimitedLog(() => {}),
    },
  );
  checker.watch(upstream);
  const fail = (count: number): void => {
    for (let failed = 0; failed < count; failed += 1) {
      upstream.tally.failed += 1;
      checker.onFailure(upstream, 'silent', null);
    }
  };
  fail(4);
  upstream.tally.served += 1;
  fail(4);
  assert.equal(upstream.health.state, 'ready');
  fail(1);
  assert.match(upstream.health.why, /^5 real requests in a row failed: out for/);
});
