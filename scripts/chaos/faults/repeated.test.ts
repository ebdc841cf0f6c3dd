// A repeated fault goes on in the background: it ends when it is healed or the run ends, and what goes wrong is in its proof.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DockerCluster, Replica } from '../../cluster/docker.ts';
import type { ArmedFault } from './fault.ts';
import { repeated } from './repeated.ts';

/** Hits one server once, and goes on until it is ended, or ends with `trouble`. */
function scripted(run: AbortController, trouble: Error | null = null): { log: string[]; fault: ArmedFault } {
  const log: string[] = [];
  const arm = repeated<void>({
    begin: async () => {},
    async repeat({ signal }, _replica, _state, onHit) {
      onHit();
      if (trouble !== null) throw trouble;
      try {
        await sleep(60_000, undefined, { signal });
      } finally {
        log.push('cleaned up');
      }
    },
    prove: async (_context, { name }) => ({ isProven: true, evidence: name }),
    mend: async () => void log.push('mended'),
  });
  const cluster = { findByPlace: async (name: string) => ({ name }) as Replica } as unknown as DockerCluster;
  const planned = { id: 1, kind: 'flap', targets: ['server-p1-1'], params: {}, atMs: 0, forMs: 0 } as const;
  const hit = (): never => assert.fail();
  return { log, fault: arm({ fault: planned, cluster, hit, signal: run.signal }) };
}

test('it ends when it is healed, and that is no error', async () => {
  const { log, fault } = scripted(new AbortController());
  await fault.inject();
  await fault.heal();
  assert.deepEqual(log, ['cleaned up', 'mended']);
  assert.deepEqual(await fault.prove(), { isProven: true, evidence: 'server-p1-1' });
});

test('it ends with the run', async () => {
  const run = new AbortController();
  const { log, fault } = scripted(run);
  await fault.inject();
  run.abort();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(log, ['cleaned up']);
  await fault.heal();
});

test('what goes wrong in between is in the proof, and takes nothing down', async () => {
  const { log, fault } = scripted(new AbortController(), new Error('no more'));
  await fault.inject();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await fault.prove(), { isProven: false, evidence: 'server-p1-1, then: no more' });
  await fault.heal();
  assert.deepEqual(log, ['mended']);
});
