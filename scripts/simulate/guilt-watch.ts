// pure · what is promised of blame: who is healthy is never put out, who is sick is told of a bounded number of times.
// Counts on the way which events, transitions and causes a world has reached.

import type { ProxyOptions } from '../../services/proxy/options.ts';
import type { Upstream } from '../../services/proxy/servers/upstream.ts';
import type { ClusterEvent, EventType } from '../../services/proxy/status/events.ts';
import type { SimulatedServer } from './server.ts';
import { transitionName } from './sometimes.ts';
import type { World } from './world.ts';

const SUSPECTS_WITHIN_MS = 10_000;
/** Three at once, and then each after a longer while; a silent one once a second. */
const MAX_SUSPECTS = 18;
const FAILED = /a real request failed: ([a-z-]+)|trial request failed: ([a-z-]+)/;
const EVIDENCE_MS = 300;

export class GuiltWatch {
  readonly #world: World;
  readonly #options: ProxyOptions;
  readonly #servers: readonly SimulatedServer[];
  readonly #lastEvent = new Map<string, EventType>();
  readonly #suspectsMs = new Map<string, number[]>();

  constructor(world: World, options: ProxyOptions, servers: readonly SimulatedServer[]) {
    this.#world = world;
    this.#options = options;
    this.#servers = servers;
  }

  /** @param upstream the entry it is about; undefined when that is no longer listed */
  onEvent(event: ClusterEvent, upstream: Upstream | undefined, hasStalled: boolean): void {
    this.#count(event, upstream);
    const { type, address } = event;
    if (type === 'suspect') this.#boundSuspects(event);
    if (hasStalled) return;
    const server = this.#servers.find((one) => one.address === address && one.spec.policy === event.policy);
    const { timeline, network, violate } = this.#world;
    if (server === undefined || server.healthySinceMs > timeline.nowMs || !server.isUp) return;
    // Of an outlier among slow ones nothing is promised but that its requests are answered.
    const isSlowest = type === 'ejected' && (this.#world.hasSlowWork || server.spec.isSluggish);
    if (type === 'evicted' || (type === 'ejected' && !isSlowest))
      violate('who is healthy is not put out', `${server.name}: ${type}, ${event.why}`);
    const isLocal = network.machine.lastFaultMs >= timeline.nowMs - EVIDENCE_MS;
    const isAboutRequest = event.why.startsWith('a real request failed');
    if (type === 'suspect' && isLocal && isAboutRequest && !event.why.includes('silent'))
      violate('a local error is no evidence', `${server.name}: ${event.why}`);
  }

  // A healthy server may be suspected, but whoever is suspected without end floods the log and the ring of events.
  #boundSuspects({ policy, address }: ClusterEvent): void {
    const { timeline, violate } = this.#world;
    const key = `${policy} ${address}`;
    const times = this.#suspectsMs.get(key) ?? [];
    this.#suspectsMs.set(key, times);
    times.push(timeline.nowMs);
    while ((times[0] as number) < timeline.nowMs - SUSPECTS_WITHIN_MS) times.shift();
    if (times.length > MAX_SUSPECTS)
      violate(
        'events about one server are bounded',
        `${address}: ${times.length} times suspect in ${SUSPECTS_WITHIN_MS / 1000} s`,
      );
  }

  #count({ type, policy, id, why }: ClusterEvent, upstream: Upstream | undefined): void {
    const { reached } = this.#world;
    const key = `${policy}/${String(id)}`;
    reached('events', type);
    const before = this.#lastEvent.get(key);
    if (type !== 'registered' && before !== undefined) reached('transitions', transitionName(before, type));
    this.#lastEvent.set(key, type);
    const failure = FAILED.exec(why);
    if (failure !== null) reached('failures', failure[1] ?? failure[2] ?? '');
    if (type === 'evicted' && upstream?.lastProbe != null) reached('evicted by', upstream.lastProbe.outcome);
    if (type === 'ejected') reached('ejected for', ejectionCause(why));
    if (upstream !== undefined) reached('states', upstream.health.state);
    if (this.#options.fall > 1 && why.includes('in a row failed')) reached('limits', '--fall');
  }
}

function ejectionCause(why: string): string {
  if (why.includes('wrong answer')) return 'wrong answers';
  if (why.includes('trial request')) return 'a failed trial';
  return why.includes('in a row') ? 'failures in a row' : 'a share of failures';
}
