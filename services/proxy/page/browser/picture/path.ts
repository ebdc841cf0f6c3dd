// The packet that was sent by hand: the picture shows the way it took.
import type { Sent } from '../model/contract.ts';
import { updateNow } from '../model/store.ts';

export type SentPath = { policy: string; attempts: Sent['attempts'] };

const SHOWN_MS = 20_000;

let path: SentPath | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;

export function sentPath(): SentPath | null {
  return path;
}

/** Shows the way of a packet for some seconds; null takes it away. */
export function showPath(shown: SentPath | null): void {
  path = shown;
  clearTimeout(timer);
  if (shown !== null) timer = setTimeout(() => showPath(null), SHOWN_MS);
  updateNow({});
}
