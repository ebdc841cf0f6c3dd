import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countCalls, describeCalls, totalCalls } from './system-calls.ts';

const TRACE = `read(20, "before", 65536) = 6
write(22, "cost keep begin", 16) = 16
epoll_wait(13, [{events=EPOLLIN, data={u32=20}}], 1024, 12) = 1
read(20, "{\\"type\\":0} guard keep end", 65536) = 24
write(21, "{\\"type\\":0}", 12) = 12
epoll_wait(13, [], 1024, 3) = 0
read(21, "{\\"type\\":2}", 65536) = 12
mmap(NULL, 262144, PROT_NONE, MAP_PRIVATE, -1, 0) = 0x7f
write(20, "{\\"type\\":2}"..., 93) = 93
write(22, "cost keep end", 14) = 14
read(20, "after", 65536) = 5
write(22, "cost oneshot begin", 19) = 19
accept4(18, NULL, NULL, SOCK_CLOEXEC|SOCK_NONBLOCK) = 23
close(23) = 0
write(22, "cost oneshot end", 17) = 17
+++ exited with 0 +++
`;

test('calls between the marks of a measure count, waiting and memory do not', () => {
  const counts = countCalls(TRACE, 'keep');
  assert.deepEqual(Object.fromEntries(counts), { read: 2, write: 2 });
  assert.equal(totalCalls(counts), 4);
  assert.equal(describeCalls(counts, 2), 'read 1.00, write 1.00');
  assert.deepEqual(Object.fromEntries(countCalls(TRACE, 'oneshot')), { accept4: 1, close: 1 });
});

test('a trace without a mark is refused', () => {
  assert.throws(() => countCalls(TRACE, 'pipelined'), RangeError);
  assert.throws(() => countCalls(TRACE.replace('"cost keep end"', '"cut"'), 'keep'), RangeError);
});
