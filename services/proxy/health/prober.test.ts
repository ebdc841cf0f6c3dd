// test · probes over a network that fails on our own side, and what that does to a server: nothing.
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { describe, test } from 'node:test';
import { type Clock, systemClock } from '../../shared/clock.ts';
import { PROBE_PAYLOAD } from '../../shared/health-probe.ts';
import type { DialledConnection, Network } from '../network/network.ts';
import type { ProbeOutcome } from '../servers/failure.ts';
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

test('of a server that closes first the probe waits for that, for a while', async () => {
  const digest = hash('sha1', PROBE_PAYLOAD);
  const did: string[] = [];
  const waits: (() => void)[] = [];
  const connect: Network['connect'] = (_host, _port, onConnected, onRead) => {
    const socket = Object.assign(new EventEmitter(), {
      destroy: () => did.push('closed'),
      resetAndDestroy: () => did.push('reset'),
      write: () => onRead(Buffer.from(`{"type":2,"srcid":1,"payload":"${digest}"}\n`)),
    });
    setImmediate(onConnected);
    return socket as unknown as DialledConnection;
  };
  const clock: Clock = {
    ...systemClock,
    after: (_ms, work) => {
      waits.push(work);
      return () => {};
    },
  };
  const options = { probe: 'request', healthTimeoutMs: 1000, isAnotherServer: () => false, clock } as const;
  const { outcome } = await probe(TARGET, { ...options, network: { ...failingNetwork(''), connect } });
  assert.deepEqual([outcome, did], ['pass', []]);
  waits.at(-1)?.();
  assert.deepEqual(did, ['reset']);
});
