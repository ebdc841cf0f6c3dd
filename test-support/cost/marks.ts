// pure · what passes between the proxy that is measured and the test that measures it.

/** To the proxy: a measure begins or ends. */
export type Order = { kind: 'begin' | 'end'; name: string };

/** From the proxy, at the end: what has happened since the beginning. */
export type Reading = {
  kind: 'reading';
  /** Bytes by which the JavaScript heap has grown: what was allocated, as long as there was no collection. */
  heapBytes: number;
  collections: number;
  /** System calls that read or wrote, on all threads; null where the system does not count them. */
  readsAndWrites: number | null;
};

/** What the proxy writes to /dev/null, so that a trace of its system calls shows where a measure begins and ends. */
export function traceMark(name: string, at: 'begin' | 'end'): string {
  return `cost ${name} ${at}`;
}
