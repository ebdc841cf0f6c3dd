import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CountedRequest, type Ending, OTHER, Traffic } from './traffic.ts';

const REQUEST_TIMEOUT_MS = 2000;

function scene() {
  const world = { nowMs: 1000 };
  const traffic = new Traffic(() => world.nowMs, REQUEST_TIMEOUT_MS);
  return { world, traffic, counts: traffic.of('1') };
}

function request({
  arrivedMs = 1000,
  attemptMs = 0,
  ...rest
}: Partial<CountedRequest & { arrivedMs: number }>) {
  const deadlineMs = arrivedMs + REQUEST_TIMEOUT_MS;
  const plain = { clientId: 7, policy: '1', wire: '{}\n', upstream: null, trouble: null };
  return { ...plain, attemptMs, deadlineMs, ...rest };
}

function server(id: number) {
  const tookMs: number[] = [];
  return { id, tookMs, durations: { add: (ms: number) => tookMs.push(ms) } };
}

test('an answered request is split into waiting and the work of its server', () => {
  const { traffic, counts } = scene();
  const one = server(1);
  const endings: Ending[] = [];
  const stop = traffic.watch((ending) => endings.push(ending));
  const asked = request({ attemptMs: 1003, upstream: one });
  counts.answered(asked, one, 1010);
  stop();
  counts.answered(asked, one, 1010);
  assert.deepEqual(
    [counts.request, counts.queue, counts.upstream].map((histogram) => histogram.read().sumMs / 2),
    [10, 3, 7],
  );
  assert.deepEqual(one.tookMs, [10, 10]);
  const times = { arrivedMs: 1000, firstAttemptMs: 1003, endedMs: 1010, standsFor: 1 };
  assert.deepEqual(endings, [{ request: asked, outcome: 'answered', server: one, ...times }]);
});

test('an answer from the server before the last counts from when that one had the request', () => {
  const { counts } = scene();
  const [first, second] = [server(1), server(2)];
  const sentOn = request({ attemptMs: 1500, upstream: second, trouble: { firstAttemptMs: 1000 } });
  counts.answered(sentOn, first, 1510);
  counts.late(sentOn, second, 1600);
  assert.equal(counts.upstream.read().sumMs, 510 + 100);
  assert.equal(counts.request.read().count, 1);
});

test('a request that no server had has waited until its end', () => {
  const { world, counts } = scene();
  world.nowMs = 1500;
  counts.unansweredWith(request({}), 'NO_SERVER');
  assert.equal(counts.unanswered.NO_SERVER, 1);
  assert.deepEqual([counts.queue.read().sumMs, counts.request.read().count], [500, 0]);
});

test('a policy that no server was registered for gets no counts of its own', () => {
  const { traffic, counts } = scene();
  assert.equal(traffic.find('1'), counts);
  assert.equal(traffic.find('made up'), traffic.other);
  assert.equal([...traffic.policies].length, 2);
});

test('policies beyond the limit are counted together', () => {
  const { traffic } = scene();
  assert.equal(traffic.of(OTHER), traffic.other);
  for (let policy = 0; policy < 1000; policy += 1) traffic.of(`p${policy}`);
  assert.equal(traffic.of('one more'), traffic.other);
  assert.equal(traffic.of('p1').policy, 'p1');
  assert.equal([...traffic.policies].length, 257);
});
