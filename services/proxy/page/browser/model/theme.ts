// Light, dark, or as the system has it; this browser remembers.
import { updateNow } from './store.ts';

export type Theme = 'system' | 'light' | 'dark';
const KEY = 'policy-proxy-colours';

/** What was chosen. */
export function theme(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === 'light' || kept === 'dark' ? kept : 'system';
}

/** Whether the page is dark or light now. */
export function isCurrent(name: 'light' | 'dark'): boolean {
  const chosen = theme();
  const isDark = chosen === 'system' ? matchMedia('(prefers-color-scheme: dark)').matches : chosen === 'dark';
  return isDark === (name === 'dark');
}

/** Changes to the other colours; what the system has is not kept, so that the page goes with it again. */
export function nextTheme(): void {
  const other = isCurrent('dark') ? 'light' : 'dark';
  const isSystems = matchMedia(`(prefers-color-scheme: ${other})`).matches;
  if (isSystems) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, other);
  applyTheme();
  updateNow({});
}

export function applyTheme(): void {
  const chosen = theme();
  if (chosen === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}
