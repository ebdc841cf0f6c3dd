// The real thing, small: a proxy process, its stub servers, and clients that stay.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../kit/ports.ts';
import { SILENT } from '../../kit/progress.ts';
import type { ClientCalls } from './idle-clients.ts';
import { measureClients } from './measure-clients.ts';
import { sampleIdle } from './sampling.ts';
import type { StubCalls } from './stub-servers.ts';
import { startSubject } from './subject.ts';
import { waitUntil } from './waiting.ts';
import { startWorker } from './worker-calls.ts';

const { signal } = SILENT;
const IDLE_CLIENTS = fileURLToPath(new URL('idle-clients.ts', import.meta.url));
const STUB_SERVERS = fileURLToPath(new URL('stub-servers.ts', import.meta.url));

test('stub servers register, come into rotation, answer probes and requests, and stay', async () => {
  const subject = await startSubject({ servers: 12, policies: 4, healthIntervalMs: 50 }, signal);
  const clients = await startWorker<ClientCalls>(IDLE_CLIENTS, signal);
  try {
    assert.equal(subject.rotation.ready, 12);
    assert.equal(subject.sessions, 12);
    assert.ok(subject.readySeconds >= subject.registeredSeconds);
    const argument = {
      proxyPort: subject.port,
      clients: 8,
      requestsEach: 3,
      policies: ['1', '2', '3', '4'],
    };
    const { answered } = await clients.call('open', argument, 10_000);
    assert.equal(answered, 8);
    const [idle] = await sampleIdle([subject], 1, signal);
    // Each is probed twenty times a second, less often on a busy machine.
    assert.ok(idle !== undefined && idle.probesPerSecond > 20 && idle.probesPerSecond < 300);
    assert.ok(idle.cpuShare > 0 && idle.serversCpuShare > 0);
    assert.equal(subject.rotation.departures, 0);
  } finally {
    await clients.stop();
    await subject.stop();
  }
});

test('servers without a session come into rotation beside the others, and stay', async () => {
  const subject = await startSubject({ servers: 6, policies: 3, healthIntervalMs: 50 }, signal);
  const others = await startWorker<StubCalls>(STUB_SERVERS, signal);
  try {
    const [listenPort = 0] = await freePorts(1);
    const plan = {
      proxyPort: subject.port,
      listenPort,
      first: 6,
      count: 6,
      policies: 3,
      sessions: 0,
      spreadMs: 0,
      deadlineMs: 5_000,
    };
    const { registered } = await others.call('register', plan, 10_000);
    assert.equal(registered, 6);
    assert.ok(await waitUntil(() => subject.rotation.ready === 12, 5_000, signal));
    await sampleIdle([subject], 0.2, signal);
    assert.equal(subject.rotation.departures, 0);
  } finally {
    await others.stop();
    await subject.stop();
  }
});

test('idle clients are counted, and the memory of each is told', async () => {
  const [few, many] = await measureClients([5, 50], 1, SILENT);
  assert.deepEqual([few?.clients, few?.connected, few?.bytesPerClient], [5, 5, null]);
  assert.deepEqual([many?.clients, many?.connected], [50, 50]);
  assert.ok(many?.bytesPerClient != null && (few?.residentBytes?.median ?? 0) > 1e7);
});
