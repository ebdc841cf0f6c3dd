import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Request } from '../routing/request.ts';
import { ReplyQueue } from './reply-queue.ts';

const client = { isClosed: false, lines: [], expect: () => {}, deliver: () => {}, flush: () => {} };
const requestOf = (): Request => new Request(client, 1, '1', '', null, 0);
const socketTo = (write: (text: string) => unknown) => ({
  writableLength: 0,
  writableNeedDrain: false,
  write,
});

test('property: whatever the order of the answers, the replies leave in the order of the requests, each once', () => {
  const orders = fc.integer({ min: 1, max: 30 }).chain((count) =>
    fc.shuffledSubarray(
      Array.from({ length: count }, (_, i) => i),
      { minLength: count },
    ),
  );
  fc.assert(
    fc.property(orders, (order) => {
      let left = '';
      const queue = new ReplyQueue(socketTo((text) => (left += text)));
      const requests = order.map(requestOf);
      for (const request of requests) queue.append(request);
      for (const index of order) {
        const request = requests[index] as Request;
        request.reply = `${index} `;
        queue.deliver(request);
        queue.write();
      }
      assert.equal(left, requests.map((_, index) => `${index} `).join(''));
      assert.equal(queue.length, 0);
    }),
  );
});

test('a request whose reply has left does not hold its successors', () => {
  const queue = new ReplyQueue(socketTo(() => {}));
  const [first, second] = [requestOf(), requestOf()];
  queue.append(first);
  queue.append(second);
  first.reply = 'x';
  queue.deliver(first);
  assert.equal(first.next, null);
  assert.equal(queue.length, 1);
});
