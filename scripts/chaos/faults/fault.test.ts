import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DockerCluster, Replica } from '../../cluster/docker.ts';
import type { FaultKind } from '../plan.ts';
import { allProven, type FaultContext, onEachTarget } from './fault.ts';

const NAMES = ['server-p1-1', 'server-p1-2', 'server-p2-1'];

/** A fault that writes down what it does; `fails` names what can't be struck. */
function scripted(targets: string[], { fails = '', kind = 'kill' as FaultKind } = {}) {
  const log: string[] = [];
  const cluster = {
    findByPlace: async (name: string) => {
      if (!NAMES.includes(name)) throw new Error(`There is no ${name}.`);
      return { name } as Replica;
    },
  } as unknown as DockerCluster;
  const context: FaultContext = {
    fault: { id: 1, kind, targets, params: {}, atMs: 0, forMs: 0 },
    cluster,
    signal: new AbortController().signal,
    hit: ({ name }) => {
      log.push(`hit ${name}`);
      return {
        struck: () => undefined,
        healing: () => void log.push(`healing ${name}`),
        healed: () => void log.push(`healed ${name}`),
      };
    },
  };
  const arm = onEachTarget<void>({
    remember: async () => {},
    async strike({ replica: { name } }) {
      log.push(`strike ${name}`);
      await new Promise((resolve) => setImmediate(resolve));
      if (name === fails) throw new Error(`${name} can't be struck.`);
      log.push(`struck ${name}`);
    },
    prove: async ({ replica: { name } }) => ({ isProven: name !== fails, evidence: name }),
    mend: async ({ replica: { name } }) => void log.push(`mend ${name}`),
  });
  return { log, armed: arm(context) };
}

test('all targets are hit before any call has returned', async () => {
  const { log, armed } = scripted(NAMES.slice(0, 2));
  await armed.inject();
  assert.deepEqual(log, [
    'hit server-p1-1',
    'strike server-p1-1',
    'hit server-p1-2',
    'strike server-p1-2',
    'struck server-p1-1',
    'struck server-p1-2',
  ]);
  assert.deepEqual(await armed.prove(), { isProven: true, evidence: 'server-p1-1; server-p1-2' });
});

test('heal ends each target, a second time too', async () => {
  const { log, armed } = scripted(['server-p2-1']);
  await armed.inject();
  log.length = 0;
  await armed.heal();
  await armed.heal();
  const once = ['healing server-p2-1', 'mend server-p2-1', 'healed server-p2-1'];
  assert.deepEqual(log, [...once, ...once]);
});

test('when one target fails the others are struck all the same, and all are mended', async () => {
  const { log, armed } = scripted(NAMES, { fails: 'server-p1-1' });
  await assert.rejects(armed.inject(), /server-p1-1 can't be struck/);
  assert.equal(log.filter((line) => line.startsWith('struck')).length, 2);
  assert.equal((await armed.prove()).isProven, false);
  await armed.heal();
  assert.equal(log.filter((line) => line.startsWith('mend')).length, 3);
});

test('heal waits for an injection that is under way', async () => {
  const { log, armed } = scripted(['server-p2-1']);
  const injection = armed.inject();
  await armed.heal();
  assert.deepEqual(log.slice(-4), [
    'struck server-p2-1',
    'healing server-p2-1',
    'mend server-p2-1',
    'healed server-p2-1',
  ]);
  await injection;
});

test('what ends by itself is over with the strike', async () => {
  const { log, armed } = scripted(['server-p2-1'], { kind: 'restart' });
  await armed.inject();
  assert.deepEqual(log, [
    'hit server-p2-1',
    'strike server-p2-1',
    'struck server-p2-1',
    'healed server-p2-1',
  ]);
});

test('nothing is hit when one target is not there', async () => {
  const { log, armed } = scripted(['server-p1-1', 'server-p9-1']);
  await assert.rejects(armed.inject(), /There is no server-p9-1/);
  await armed.heal();
  assert.deepEqual(log, []);
});

test('no proof at all proves nothing', () => {
  assert.deepEqual(allProven([]), { isProven: false, evidence: 'nothing was hit' });
});
