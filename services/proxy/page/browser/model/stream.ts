// The one connection that keeps the page up to date, and the watch over it.
import { forgetTime, freeze, hearTime, now } from './clock.ts';
import type { ClusterEvent, ClusterState, Fault, Hello, SampleBatch } from './contract.ts';
import { learnNames } from './names.ts';
import { model, passSamples, update, updateNow } from './store.ts';

const STALE_AFTER_MS = 2500;
const LOOK_EVERY_MS = 250;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 4000;
const KEPT_EVENTS = 1000;
const KEPT_FAULTS = 200;

let source: EventSource | null = null;
let heardMs = performance.now();
let openedMs = 0;
let tries = 0;
let coming: ClusterEvent[] = [];

/** Connects, and connects again whenever the proxy has not been heard of for some time. */
export function startStream(): void {
  connect();
  setInterval(look, LOOK_EVERY_MS);
  // A tab that slept was not abandoned: its timers stood still.
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) look();
  });
}

/** Tries at once, whatever the plan was. */
export function retryNow(): void {
  connect();
}

function connect(): void {
  source?.close();
  tries += 1;
  openedMs = performance.now();
  source = new EventSource('/api/stream');
  on<Hello>(source, 'hello', welcome);
  on<ClusterState>(source, 'state', (state) => {
    hearTime(state.atMs);
    learnNames(state);
    update({ state });
  });
  on<ClusterEvent>(source, 'event', take);
  on<Fault>(source, 'fault', takeFault);
  on<SampleBatch>(source, 'sample', ({ share, samples }) => {
    if (share !== model.share) update({ share });
    passSamples(samples);
  });
  on(source, 'resync', () => update({ events: [] }));
}

function on<T>(from: EventSource, name: string, handle: (data: T) => void): void {
  from.addEventListener(name, ({ data }) => {
    if (from !== source) return;
    handle(JSON.parse(data) as T);
    hear();
  });
}

function hear(): void {
  heardMs = performance.now();
  tries = 0;
  freeze(false);
  const beatMs = now();
  if (model.connection.kind === 'live') model.connection.beatMs = beatMs;
  else update({ connection: { kind: 'live', beatMs } });
}

function welcome(hello: Hello): void {
  const before = model.hello;
  const isAnother = before !== null && before.boot !== hello.boot;
  if (isAnother) forgetTime();
  const restartSeenMs = isAnother ? Date.now() : model.restartSeenMs;
  update(isAnother ? { hello, events: [], faults: [], history: null, restartSeenMs } : { hello });
}

// On a new connection the kept ones come first, up to a thousand at once: they are sorted in once.
function take(event: ClusterEvent): void {
  coming.push(event);
  if (coming.length > 1) return;
  queueMicrotask(() => setTimeout(sortIn, 0));
}

function sortIn(): void {
  const known = new Set(model.events.map(({ seq }) => seq));
  const fresh = coming.filter(({ seq }) => !known.has(seq));
  coming = [];
  if (fresh.length === 0) return;
  const events = [...fresh, ...model.events].sort((a, b) => b.seq - a.seq).slice(0, KEPT_EVENTS);
  update({ events });
}

// It comes when it begins, when it ends, and again on each new connection.
function takeFault(fault: Fault): void {
  const isOther = ({ id, fromMs }: Fault): boolean => id !== fault.id || fromMs !== fault.fromMs;
  const faults = [...model.faults.filter(isOther), fault].sort((a, b) => a.fromMs - b.fromMs);
  update({ faults: faults.slice(-KEPT_FAULTS) });
}

function look(): void {
  const nowMs = performance.now();
  const { connection } = model;
  if (nowMs - heardMs < STALE_AFTER_MS) return;
  if (connection.kind !== 'stale') {
    const sinceMs = now() - (nowMs - heardMs);
    const staleFromMs = Date.now() - (nowMs - heardMs);
    freeze(true);
    update({ connection: { kind: 'stale', sinceMs, staleFromMs, retryMs: Date.now(), tries } });
    connect();
    return;
  }
  const pauseMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(tries, 8));
  const leftMs = openedMs + pauseMs - nowMs;
  if (leftMs <= 0) connect();
  updateNow({ connection: { ...connection, tries, retryMs: Date.now() + Math.max(0, leftMs) } });
}
