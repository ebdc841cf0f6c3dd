import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newcomer } from '../health/health.ts';
import type { DialledConnection, Network } from '../network/network.ts';
import { Request } from '../routing/request.ts';
import { Flusher } from './flusher.ts';
import { Pool, type TrafficObserver } from './pool.ts';
import { Upstream } from './upstream.ts';

const OPTIONS = {
  upstreamConnections: 2,
  oneRequestConnections: 4,
  connectTimeoutMs: 1000,
  attemptTimeoutMs: 500,
  requestTimeoutMs: 2000,
  upstreamIdleMs: 30_000,
};
const REGISTRATION = { id: 1, policy: '1', host: '10.0.0.1', port: 1, keepsAlive: true, incarnation: null };
const NOTHING: TrafficObserver = {
  onBusy: () => {},
  onAnswer: () => true,
  onAnswersEnd: () => {},
  onSilence: () => {},
  onGivenUp: () => {},
  onBroken: () => {},
};

/** A pool whose connections stand at once; `written` is what was written on each. */
function poolOf(observer: Partial<TrafficObserver>) {
  const written: string[] = [];
  const turns: (() => void)[] = [];
  const network: Pick<Network, 'connect'> = {
    connect: (_host, _port, onConnected) => {
      const at = written.push('') - 1;
      const write = (text: string): boolean => {
        written[at] += text;
        return true;
      };
      const socket = { on: () => socket, write, setKeepAlive: () => {} };
      turns.push(onConnected);
      return socket as unknown as DialledConnection;
    },
  };
  const upstream = new Upstream(REGISTRATION, 128, 1, newcomer(0, ''), 0);
  const flusher = new Flusher((work) => turns.push(work));
  const world = { network: network as Network, flusher, now: () => 0, watch: null };
  const pool = new Pool(upstream, OPTIONS, world, { ...NOTHING, ...observer });
  const runTurns = (): void => {
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) turn();
  };
  return { pool, written, runTurns };
}

const client = { isClosed: false, lines: [], expect: () => {}, deliver: () => {}, flush: () => {} };
const requestOf = (wire: string): Request => new Request(client, 1, '1', wire, null, 2000);

test('what waits on a silent connection is not moved to one that has fallen silent with it', () => {
  const onSilence: TrafficObserver['onSilence'] = (_upstream, { behind }) => {
    for (const request of behind) pool.send(request, 600);
  };
  const { pool, written, runTurns } = poolOf({ onSilence });
  for (const wire of ['a', 'b', 'c', 'd']) pool.send(requestOf(wire), 0);
  runTurns();
  assert.deepEqual(written, ['ac', 'bd']);
  pool.sweep(20);
  pool.sweep(600);
  runTurns();
  assert.deepEqual(written, ['ac', 'bd', 'cd']);
});
