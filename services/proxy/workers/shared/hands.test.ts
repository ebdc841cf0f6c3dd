// test · the keeper waits for a worker that is handing a request over just then, and for nobody else.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Hands, SharedHand } from './hands.ts';
import { rowsBuffer } from './rows.ts';

type Job = { hands: SharedArrayBuffer; count: SharedArrayBuffer };
const HELD_MS = 30;

if (!isMainThread) {
  const { hands, count } = workerData as Job;
  const counts = new Int32Array(count);
  const hand = new SharedHand(hands, 1);
  hand.begin();
  parentPort?.postMessage('begun');
  // As if the system let it run no further just now.
  Atomics.wait(counts, 0, 0, HELD_MS);
  counts[0] = 1;
  hand.end();
} else {
  test('what a worker was handing over is counted when the keeper goes on', async () => {
    const job: Job = { hands: rowsBuffer(3), count: new SharedArrayBuffer(4) };
    const worker = new Worker(import.meta.filename, { workerData: job });
    const exited = once(worker, 'exit');
    await once(worker, 'message');
    new Hands(job.hands).settle();
    assert.equal(new Int32Array(job.count)[0], 1);
    await exited;
  });

  test('a worker that has died is not waited for', () => {
    const buffer = rowsBuffer(2);
    const hands = new Hands(buffer);
    new SharedHand(buffer, 0).begin();
    hands.giveBack(0);
    const successor = new SharedHand(buffer, 0);
    successor.begin();
    successor.end();
    const cells = new Int32Array(buffer);
    assert.equal((cells[0] as number) % 2, 0);
  });
}
