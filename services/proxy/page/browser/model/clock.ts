// The proxy's clock as the page knows it, and what is shown of its passing.

let offsetMs = Number.NEGATIVE_INFINITY;
let frozenMs: number | null = null;

/** A message left the proxy at `atMs`: the one that came fastest says best how the clocks differ. */
export function hearTime(atMs: number): void {
  offsetMs = Math.max(offsetMs, atMs - Date.now());
}

/** Another proxy, another clock. */
export function forgetTime(): void {
  offsetMs = Number.NEGATIVE_INFINITY;
}

/** ms since the epoch on the proxy's clock; stands still while the proxy says nothing. */
export function now(): number {
  return frozenMs ?? Date.now() + (Number.isFinite(offsetMs) ? offsetMs : 0);
}

/** Lets `now` stand still, or go on. */
export function freeze(isFrozen: boolean): void {
  frozenMs = isFrozen ? (frozenMs ?? now()) : null;
}

export function isFrozen(): boolean {
  return frozenMs !== null;
}

export type Ticking = { write: () => void };

const ticking = new Map<Element, Ticking>();
const inView = new Set<Ticking>();
// Each tick is a frame that is laid out.
const TICK_MS = 200;

// What is not in view costs nothing: of 300 rows some 20 are.
const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const one = ticking.get(target);
    if (one === undefined) continue;
    if (isIntersecting) {
      inView.add(one);
      one.write();
    } else inView.delete(one);
  }
});

/** Calls `write` five times a second while the element is in view and the tab is shown. */
export function startTicking(element: Element, one: Ticking): void {
  ticking.set(element, one);
  observer.observe(element);
}

export function stopTicking(element: Element): void {
  const one = ticking.get(element);
  if (one !== undefined) inView.delete(one);
  ticking.delete(element);
  observer.unobserve(element);
}

setInterval(() => {
  if (document.hidden || frozenMs !== null) return;
  for (const one of inView) one.write();
}, TICK_MS);
