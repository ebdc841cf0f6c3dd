// Shared memory with a row for each worker.

/** How many whole numbers a row has: a cache line of its own, which no other worker writes. */
export const ROW = 16;

/** A row for each worker, all 0. */
export function rowsBuffer(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(workers * ROW * Int32Array.BYTES_PER_ELEMENT);
}
