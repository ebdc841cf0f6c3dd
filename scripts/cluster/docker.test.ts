import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callEngine, callForgivingly, EngineError } from './docker-call.ts';

function refusal(statusCode: number, message = 'is not running'): Promise<never> {
  const error = new Error(`(HTTP code ${statusCode}) unexpected - ${message} `);
  return Promise.reject(Object.assign(error, { statusCode, json: { message } }));
}

test('a refusal is one sentence, with the status', async () => {
  const call = callEngine('p1 could not be paused', () => refusal(409, 'Container x is not running.'));
  await assert.rejects(
    call,
    (error: EngineError) =>
      error.status === 409 && error.message === 'p1 could not be paused: Container x is not running.',
  );
});

test('an error without an answer has no status', async () => {
  const call = callEngine('p1 could not be paused', () => Promise.reject(new Error('connect ENOENT')));
  await assert.rejects(call, { message: 'p1 could not be paused: connect ENOENT.', status: null });
});

test('a call that is not answered ends at its deadline', async () => {
  const call = callEngine(
    'p1 could not be paused',
    (signal) =>
      new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
      ),
    20,
  );
  // AbortSignal.timeout alone keeps no process alive.
  const alive = setTimeout(() => {}, 5_000);
  await assert.rejects(call, { message: 'p1 could not be paused: no answer in 0.02 s.', status: null });
  clearTimeout(alive);
});

const CASES = [
  { what: 'forgiven when it is already so', status: 409, isReached: true, isForgiven: true },
  { what: 'not forgiven when it is not so', status: 409, isReached: false, isForgiven: false },
  { what: 'not forgiven when it is another one', status: 404, isReached: true, isForgiven: false },
];
for (const { what, status, isReached, isForgiven } of CASES)
  test(`a refusal is ${what}`, async () => {
    const look = async (): Promise<boolean> => isReached;
    const call = callForgivingly('p1', [409, 500], look, () => refusal(status));
    if (isForgiven) await call;
    else await assert.rejects(call, EngineError);
  });
