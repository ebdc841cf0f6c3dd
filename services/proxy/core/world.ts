// What a proxy runs in: time, network and chance.
import type { Clock } from '../../shared/clock.ts';
import type { Network } from '../network/network.ts';
import type { RequestWatch } from '../routing/watch.ts';

/** All that is decided neither by the options nor by what peers do. */
export type World = {
  clock: Clock;
  network: Network;
  /** From 0 to below 1. */
  random: () => number;
  /** A text that can't be guessed, another one at each call. */
  nonce: () => string;
  /** How many descriptors the process may have open; not given where nothing limits them. */
  descriptors?: number;
  /** Looks on at all requests. */
  watch?: RequestWatch | null;
  /** Names this start of the proxy, and no other; made from the time where it is not given. */
  boot?: string;
};
