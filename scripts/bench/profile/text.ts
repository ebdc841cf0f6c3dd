// pure · the figures of a profile → what the terminal shows.
// Must never print more than a screen: the page has the rest.

import { count, decimal, percent } from '../../kit/words.ts';
import type { LoadResult } from '../native.ts';
import { type Flame, functionCosts } from './flame.ts';
import { CATEGORY_WORDS } from './flame-svg.ts';
import type { ProfileOptions } from './options.ts';

const TOP = 15;

/** What was profiled: `keep, 64 connections, 64 bytes`. */
export function describeLoad({ mode, connections, payloadBytes }: ProfileOptions): string {
  return `${mode}, ${count(connections)} connection${connections === 1 ? '' : 's'}, ${count(payloadBytes)} bytes`;
}

/**
 * Throughput and costs, each a short text.
 * @param cpuUs CPU time of the proxy's process, µs
 */
export function figuresOf(load: LoadResult, cpuUs: number, flame: Flame): string[] {
  const { requests, seconds, latencyUs, errors } = load;
  const failed = Object.values(errors).reduce((sum, each) => sum + each, 0);
  return [
    `${count(requests / seconds)} requests/s`,
    `${decimal(cpuUs / requests)} µs of the proxy's CPU per request (sampling included)`,
    `p50 ${decimal(latencyUs.p50 / 1000)} ms, p99 ${decimal(latencyUs.p99 / 1000)} ms`,
    `idle ${percent(flame.idleUs, flame.totalUs)}`,
    ...(failed === 0 ? [] : [`${count(failed)} requests were not answered right`]),
  ];
}

/** The functions that took most time themselves, with their shares of the busy time. */
export function formatTop(flame: Flame): string {
  const busyUs = flame.totalUs - flame.idleUs;
  const rows = functionCosts(flame)
    .slice(0, TOP)
    .map(({ name, place, category, selfUs, totalUs }) => {
      const shares = [percent(selfUs, busyUs), percent(totalUs, busyUs)].map((share) => share.padStart(8));
      return `${shares.join(' ')}  ${name.padEnd(28)} ${place === '' ? CATEGORY_WORDS[category] : place}`;
    });
  return ['  itself    total  function                     where', ...rows].join('\n');
}
