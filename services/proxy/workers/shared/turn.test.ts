// test · one turn for several threads: strict order, and no member ahead of another by more than one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import fc from 'fast-check';
import { RoundRobin } from '../../routing/rotation/round-robin.ts';
import { EPOCHS } from '../../routing/rotation/turn.ts';
import { SharedTurn } from './turn.ts';

type Member = { name: string; order: number; isFull: boolean; claim: () => boolean };
type Change = { action: 'add' | 'remove' | 'evict'; member: number };
type Job = { buffer: SharedArrayBuffer; log: SharedArrayBuffer; members: number; picks: number };

const NAMES = [...'abcdef'];
const claim = (): boolean => true;
const membersOf = (count: number): Member[] =>
  NAMES.slice(0, count).map((name, order) => ({ name, order, isFull: false, claim }));

if (!isMainThread) {
  const { buffer, log, members, picks } = workerData as Job;
  const rotation = new RoundRobin<Member>(new SharedTurn(buffer));
  for (const member of membersOf(members)) rotation.add(member);
  const counts = new Int32Array(log);
  for (let picked = 0; picked < picks; picked += 1) {
    const member = rotation.pick();
    if (member !== null) Atomics.add(counts, member.order, 1);
  }
  parentPort?.postMessage('done');
} else {
  test('threads that pick at the same time serve every member equally', async () => {
    const [threads, members, picks] = [4, 5, 20_000];
    const job: Job = {
      buffer: new SharedTurn().buffer,
      log: new SharedArrayBuffer(4 * members),
      members,
      picks,
    };
    const workers = Array.from(
      { length: threads },
      () => new Worker(import.meta.filename, { workerData: job }),
    );
    await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))));
    const counts = [...new Int32Array(job.log)];
    assert.deepEqual(counts, Array(members).fill((threads * picks) / members));
  });

  test('property: rotations that learn of changes late pick as one, or not at all', () => {
    const changes = fc.record({
      action: fc.constantFrom('add' as const, 'remove' as const, 'evict' as const),
      member: fc.nat(NAMES.length - 1),
    });
    const steps = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('pick' as const), thread: fc.nat(3) }),
        fc.record({ kind: fc.constant('learn' as const), thread: fc.nat(3) }),
        fc.record({ kind: fc.constant('change' as const), change: changes }),
      ),
      { maxLength: 80 },
    );
    fc.assert(
      fc.property(steps, fc.nat(EPOCHS - 1), (history, epoch) => {
        const turn = new SharedTurn();
        // The word of an epoch in which nothing has been picked yet.
        new Int32Array(turn.buffer)[16] = epoch << 17;
        const members = membersOf(NAMES.length);
        const reference = new RoundRobin<Member>();
        const threads = Array.from({ length: 4 }, () => {
          const rotation = new RoundRobin<Member>();
          rotation.follow(new SharedTurn(turn.buffer), epoch);
          return { rotation, learnt: 0 };
        });
        const all: Change[] = [];
        const learn = (thread: (typeof threads)[number]): void => {
          const change = all[thread.learnt];
          if (change === undefined) return;
          thread.learnt += 1;
          thread.rotation[change.action](members[change.member] as Member);
          // The first that makes a change makes it for all.
          if (thread.learnt > known) {
            known = thread.learnt;
            reference[change.action](members[change.member] as Member);
          }
        };
        let known = 0;
        for (const step of history) {
          if (step.kind === 'change') all.push(step.change);
          else if (step.kind === 'learn') learn(threads[step.thread] as (typeof threads)[number]);
          else {
            const { rotation } = threads[step.thread] as (typeof threads)[number];
            const picked = rotation.pick();
            if (picked !== null) assert.equal(picked, reference.pick());
            else assert.ok(threads[step.thread]?.learnt !== known || reference.members.length === 0);
          }
        }
        for (const thread of threads) while (thread.learnt < all.length) learn(thread);
        for (const { rotation } of threads) {
          assert.deepEqual(rotation.members, reference.members);
          assert.equal(rotation.nextIndex, reference.nextIndex);
        }
        const rounds = 2 * reference.members.length;
        for (let turn = 0; turn < rounds; turn += 1)
          assert.equal(threads[turn % 4]?.rotation.pick(), reference.pick());
      }),
    );
  });

  test('who does not know the newest list picks nobody', () => {
    const turn = new SharedTurn();
    const [one, other] = [turn, new SharedTurn(turn.buffer)].map((own) => new RoundRobin<Member>(own));
    const [a, b] = membersOf(2) as [Member, Member];
    for (const rotation of [one, other]) rotation?.add(a);
    assert.equal(other?.pick(), a);
    one?.add(b);
    assert.equal(other?.pick(), null);
    other?.add(b);
    assert.deepEqual([other?.pick(), one?.pick(), other?.pick()], [a, b, a]);
  });
}
