// Keys that work everywhere on the page but in its fields.
import { go, model } from '../model/store.ts';
import { closeDrawer } from './drawer.ts';
import { isOnlyNotReady } from './servers.ts';

export function listenToKeys(): void {
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && model.place.open !== '') closeDrawer();
    const isInField = (event.target as Element).closest('input, textarea, select') !== null;
    if (isInField || event.ctrlKey || event.metaKey || event.altKey) return;
    switch (event.key) {
      case '/':
        event.preventDefault();
        document.getElementById('find')?.focus();
        return;
      case 'n':
        go({ show: isOnlyNotReady() ? 'all' : 'not-ready' });
        return;
      case 's':
        event.preventDefault();
        document.getElementById('send-policy')?.focus();
        return;
      default:
    }
  });
}
