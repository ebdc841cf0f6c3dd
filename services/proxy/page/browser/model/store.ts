// All that the page knows, in one object; whoever changes it says so, and it is drawn again.
import type { ClusterEvent, ClusterState, Fault, Hello, History, Sample, ServerDetail } from './contract.ts';
import { type Place, readPlace, writePlace } from './place.ts';

export type Connection =
  | { kind: 'connecting' }
  | { kind: 'live'; beatMs: number }
  /** `sinceMs`: the last word, on the proxy's clock; the others on the page's. */
  | { kind: 'stale'; sinceMs: number; staleFromMs: number; retryMs: number; tries: number };

export type Model = {
  connection: Connection;
  hello: Hello | null;
  state: ClusterState | null;
  /** Newest first. */
  events: readonly ClusterEvent[];
  /** In the order in which they began. */
  faults: readonly Fault[];
  history: History | null;
  /** When the proxy was found to be another than before, on the page's clock. */
  restartSeenMs: number | null;
  detail: ServerDetail | null;
  place: Place;
  token: string;
  /** The proxy has taken an order with this token. */
  isTokenProven: boolean;
  operator: string;
  /** One sampled request stands for so many; null before the first. */
  share: number | null;
};

export const model: Model = {
  connection: { kind: 'connecting' },
  hello: null,
  state: null,
  events: [],
  faults: [],
  history: null,
  restartSeenMs: null,
  detail: null,
  place: readPlace(location.search),
  token: '',
  isTokenProven: false,
  operator: '',
  share: null,
};

const LEAST_BETWEEN_MS = 100;
// A cluster of hundreds of servers takes some 20 ms to draw.
const LEAST_BETWEEN_OF_MANY_MS = 250;
const MANY = 50;

let draw = (): void => {};
let drawnMs = 0;
let timer: ReturnType<typeof setTimeout> | null = null;

export function drawWith(drawAll: () => void): void {
  draw = drawAll;
}

export function isLarge(state: ClusterState | null): boolean {
  return state !== null && serversIn(state) > MANY;
}

export function serversIn({ policies }: ClusterState): number {
  return policies.reduce((sum, { servers }) => sum + servers.length, 0);
}

/** Takes over what has changed, and draws soon. */
export function update(change: Partial<Model>): void {
  Object.assign(model, change);
  if (timer !== null) return;
  const pauseMs = isLarge(model.state) ? LEAST_BETWEEN_OF_MANY_MS : LEAST_BETWEEN_MS;
  timer = setTimeout(drawNow, Math.max(0, drawnMs + pauseMs - performance.now()));
}

/** What a hand has changed is seen at once. */
export function updateNow(change: Partial<Model>): void {
  Object.assign(model, change);
  drawNow();
}

function drawNow(): void {
  if (timer !== null) clearTimeout(timer);
  timer = null;
  drawnMs = performance.now();
  draw();
}

/** Goes to another place; the address says so. */
export function go(change: Partial<Place>): void {
  const place = { ...model.place, ...change };
  history.replaceState(null, '', `${location.pathname}${writePlace(place)}`);
  updateNow({ place });
}

const watchers = new Set<(samples: readonly Sample[]) => void>();

/** Calls `watcher` with each batch of sampled requests; the function returned ends that. */
export function watchSamples(watcher: (samples: readonly Sample[]) => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

export function passSamples(samples: readonly Sample[]): void {
  for (const watcher of watchers) watcher(samples);
}
