// Starts the page: draws it, connects it, and keeps what a reload should not lose.
import { render } from 'preact';
import { html } from './html.ts';
import { askHistory, askServer } from './model/ask.ts';
import { drawWith, model, update } from './model/store.ts';
import { startStream } from './model/stream.ts';
import { applyTheme } from './model/theme.ts';
import { App } from './parts/app.ts';
import { listenToKeys } from './parts/keys.ts';

const ASK_EVERY_MS = 2000;
const SCROLL_KEY = 'policy-proxy-scroll';

applyTheme();
const page = document.getElementById('page') as HTMLElement;
page.replaceChildren();
let isScrolled = false;
drawWith(() => {
  render(html`<${App} />`, page);
  if (!isScrolled && model.state !== null) restoreScroll();
});
update({});
listenToKeys();
startStream();
keepScroll();
void keepAsking();

// What a reload finds comes after the page itself, so the browser's own memory of the place is too early.
function keepScroll(): void {
  history.scrollRestoration = 'manual';
  addEventListener('pagehide', () => sessionStorage.setItem(SCROLL_KEY, String(Math.round(scrollY))));
}

function restoreScroll(): void {
  isScrolled = true;
  const [entry] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  if (entry?.type === 'navigate') return;
  scrollTo({ top: Number(sessionStorage.getItem(SCROLL_KEY) ?? 0), behavior: 'instant' });
}

/** The charts' figures and the open server's history are asked for, while somebody can see them. */
async function keepAsking(): Promise<never> {
  while (true) {
    const { open } = model.place;
    const lastSeq = newestSeq();
    if (!document.hidden && model.connection.kind !== 'stale') {
      const [policy, id] = splitKey(open);
      const [history, detail] = await Promise.all([askHistory(), id === '' ? null : askServer(policy, id)]);
      update({ ...(history === null ? {} : { history }), detail });
    }
    await until(() => newestSeq() !== lastSeq || model.place.open !== open, ASK_EVERY_MS);
  }
}

function newestSeq(): number {
  return model.events[0]?.seq ?? -1;
}

// A policy's name may have a slash in it.
function splitKey(key: string): [policy: string, id: string] {
  const at = key.lastIndexOf('/');
  return [key.slice(0, Math.max(0, at)), key.slice(at + 1)];
}

const LOOK_EVERY_MS = 250;

async function until(isDue: () => boolean, longestMs: number): Promise<void> {
  const endMs = performance.now() + longestMs;
  do await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  while (performance.now() < endMs && !isDue());
}
