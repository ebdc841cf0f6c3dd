import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Request } from '../routing/request.ts';
import { ReplyQueue } from './reply-queue.ts';

const client = { isClosed: false, openCount: 0, deliver: () => {}, flush: () => {} };
const requestOf = (): Request => new Request(client, 1, '1', '', null, 0);

test('property: whatever the order of the answers, the replies leave in the order of the requests, each once', () => {
  const orders = fc.integer({ min: 1, max: 30 }).chain((count) =>
    fc.shuffledSubarray(
      Array.from({ length: count }, (_, i) => i),
      { minLength: count },
    ),
  );
  fc.assert(
    fc.property(orders, (order) => {
      const queue = new ReplyQueue();
      const requests = order.map(requestOf);
      for (const request of requests) queue.append(request);
      let left = '';
      for (const index of order) {
        (requests[index] as Request).reply = `${index} `;
        left += queue.take();
      }
      assert.equal(left, requests.map((_, index) => `${index} `).join(''));
      assert.equal(queue.length, 0);
    }),
  );
});

test('a request whose reply has left does not hold its successors', () => {
  const queue = new ReplyQueue();
  const [first, second] = [requestOf(), requestOf()];
  queue.append(first);
  queue.append(second);
  first.reply = 'x';
  queue.take();
  assert.equal(first.next, null);
  assert.equal(queue.length, 1);
});
