// Loaded into the proxy before it starts (`node --import`): reads its heap and its counters at the two ends of a measure.
import { openSync, readFileSync, writeSync } from 'node:fs';
import { devNull } from 'node:os';
import { GCProfiler, getHeapStatistics } from 'node:v8';
import { type Order, type Reading, traceMark } from './marks.ts';

const marks = openSync(devNull, 'w');
let collector = new GCProfiler();
let before = { usedBytes: 0, readsAndWrites: null as number | null };

process.on('message', (order: Order) => {
  if (order.kind === 'begin') begin(order.name);
  else process.send?.(end(order.name));
});

// Under a tracer the marks show where the measure begins and ends: all the rest is outside of them.
function begin(name: string): void {
  const readsAndWrites = countReadsAndWrites();
  collector = new GCProfiler();
  // The second one frees what the first has only found to be garbage.
  globalThis.gc?.();
  globalThis.gc?.();
  collector.start();
  process.send?.({ kind: 'begun' });
  writeSync(marks, traceMark(name, 'begin'));
  before = { usedBytes: getHeapStatistics().used_heap_size, readsAndWrites };
}

function end(name: string): Reading {
  const usedBytes = getHeapStatistics().used_heap_size;
  writeSync(marks, traceMark(name, 'end'));
  const collections = collector.stop()?.statistics.length ?? 0;
  const after = countReadsAndWrites();
  const isCounted = before.readsAndWrites !== null && after !== null;
  return {
    kind: 'reading',
    heapBytes: usedBytes - before.usedBytes,
    collections,
    readsAndWrites: isCounted ? Number(after) - Number(before.readsAndWrites) : null,
  };
}

/** The calls of this process that read or write (proc(5), `io`); null where the system does not count them. */
function countReadsAndWrites(): number | null {
  try {
    const text = readFileSync('/proc/self/io', 'latin1');
    const [, reads] = /^syscr: (\d+)$/m.exec(text) ?? [];
    const [, writes] = /^syscw: (\d+)$/m.exec(text) ?? [];
    return reads === undefined || writes === undefined ? null : Number(reads) + Number(writes);
  } catch {
    return null;
  }
}
