// shell · who is in the proxy's rotation, followed by its event stream: a look at a large table would itself be a load.
// Must never count a server twice, however often it comes and goes.
import type { EventType } from '../../../services/proxy/status/events.ts';
import { watchProxy } from '../../kit/proxy-events.ts';

export type Rotation = {
  /** Servers in rotation now. */
  readonly ready: number;
  /** How often a server has left it so far. */
  readonly departures: number;
  close(): void;
};

/** Follows a proxy that has no servers yet. */
export function followRotation(adminPort: number): Rotation {
  const ready = new Set<string>();
  let departures = 0;
  const watch = watchProxy(`http://127.0.0.1:${adminPort}`, ({ type, address }) => {
    if (isEntry(type)) ready.add(address);
    else if (type !== 'registered' && ready.delete(address)) departures += 1;
  });
  return {
    get ready() {
      return ready.size;
    },
    get departures() {
      return departures;
    },
    close: () => watch.close(),
  };
}

function isEntry(type: EventType): boolean {
  return type === 'admitted' || type === 'trial';
}
