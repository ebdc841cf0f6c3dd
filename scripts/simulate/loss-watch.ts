// pure · what is promised of replies: each in time, and none lost that a healthy server would have answered.
// Must never ask the proxy whether it did right where the world can tell.

import type { ProxyOptions } from '../../services/proxy/options.ts';
import type { ClusterEvent } from '../../services/proxy/status/events.ts';
import type { Expected, Reply, SimulatedClient } from './client.ts';
import type { SimulatedServer } from './server.ts';
import type { Send, Traffic } from './traffic.ts';
import { isPoison, slownessOf, type World } from './world.ts';

/** After a stall it takes the proxy so long to be itself again. */
const AFTER_STALL_MS = 3000;
/** Sweeps, and the way there and back. */
const REPLY_GRACE_MS = 150;
const LOST = new Set(['NO_SERVER', 'UPSTREAM_FAILED', 'UPSTREAM_TIMEOUT']);
// Nobody promises room in a queue that is shorter.
const LONG_QUEUE = 1024;
const LOAD_WINDOW_MS = 2000;
// What a server that takes few at once can do before deadlines come near.
const LOAD_MS = 900;
/** `--one-request-connections`, where it begins. */
const AT_ONCE = 4;
const DEFAULT_MAX_ATTEMPTS = 2;
/** Clients that take replies late, or never. */
const NOT_READING = new Set(['stall', 'deaf']);

export class LossWatch {
  readonly #world: World;
  readonly #options: ProxyOptions;
  readonly #servers: readonly SimulatedServer[];
  readonly #traffic: Traffic;
  /** Since when a server is in rotation, by policy and id. */
  readonly #readySinceMs = new Map<string, number>();
  /** When requests of a policy were made, and how slow they are. */
  readonly #asked = new Map<string, { atMs: number; slowMs: number }[]>();

  constructor(world: World, options: ProxyOptions, servers: readonly SimulatedServer[], traffic: Traffic) {
    this.#world = world;
    this.#options = options;
    this.#servers = servers;
    this.#traffic = traffic;
  }

  /** A server's place in the rotation may have changed. */
  onEvent({ policy, id }: ClusterEvent, isServing: boolean): void {
    const key = `${policy}/${String(id)}`;
    if (!isServing) this.#readySinceMs.delete(key);
    else if (!this.#readySinceMs.has(key)) this.#readySinceMs.set(key, this.#world.timeline.nowMs);
  }

  onAsked({ policy, payload, sentMs }: Expected): void {
    const asked = this.#asked.get(policy) ?? [];
    this.#asked.set(policy, asked);
    asked.push({ atMs: sentMs, slowMs: slownessOf(payload) });
  }

  onReply(expected: Expected, reply: Reply, client: SimulatedClient): void {
    const { timeline, violate } = this.#world;
    if (expected.kind === 'any') return;
    const tookMs = timeline.nowMs - expected.sentMs;
    const isDisturbed = this.hasStalledSince(expected.sentMs) || client.cutUntilMs >= expected.sentMs;
    const isLate = tookMs > this.#options.requestTimeoutMs + REPLY_GRACE_MS;
    if (isLate && !isDisturbed && !NOT_READING.has(client.spec.kind))
      violate('a reply in time', `"${expected.payload}" took ${tookMs.toFixed(1)} ms`);
    if (expected.kind !== 'answer' || isDisturbed) return;
    if (reply.code === 'OVERLOADED') this.#checkRoom(expected, reply);
    if (LOST.has(reply.code ?? '')) this.#checkLoss(expected, reply);
  }

  #checkRoom({ sentMs, payload }: Expected, reply: Reply): void {
    const { network, places, violate } = this.#world;
    const mayBe =
      this.#options.maxWaiting < LONG_QUEUE ||
      places < Number.POSITIVE_INFINITY ||
      network.machine.lastFaultMs >= sentMs - 100;
    if (!mayBe) violate('overloaded only where something has run out', `"${payload}": ${reply.payload}`);
  }

  #checkLoss(expected: Expected, reply: Reply): void {
    const { retry, pipelineDepth } = this.#options;
    const { timeline } = this.#world;
    const account = this.#traffic.accountOf(expected.policy);
    const mayFail =
      retry !== 'always' ||
      pipelineDepth < 64 ||
      isPoison(expected.payload) ||
      account.isNearlyUsedUp(timeline.nowMs) ||
      this.#hasMetTheSick(expected);
    const witness = mayFail ? undefined : this.#servers.find((server) => this.#couldHave(server, expected));
    if (witness !== undefined)
      this.#world.violate(
        'nothing is lost while a server is healthy',
        `${witness.name}, "${expected.payload}": ${reply.payload}`,
      );
  }

  // So many servers that are not healthy have had it that no other one may be tried.
  #hasMetTheSick({ payload, sentMs }: Expected): boolean {
    // What a server that resets reused connections has read, it may have worked on.
    const isSick = ({ server, wire, wasReused }: Send): boolean =>
      wire.isConnected &&
      (server === undefined || server.healthySinceMs > sentMs || (wasReused && server.spec.resetsReused));
    // With no port or descriptor left, nobody else can be tried.
    const isStuck = this.#world.network.machine.lastFaultMs >= sentMs;
    // Where all are slow, nobody can tell by the time that one is sick.
    const limit = isStuck || this.#world.hasSlowWork ? 1 : maxAttemptsOf(this.#options);
    return (this.#traffic.find(payload)?.sends ?? []).filter(isSick).length >= limit;
  }

  // Healthy and in rotation from before the request came, with the time to do it.
  #couldHave(server: SimulatedServer, { policy, sentMs }: Expected): boolean {
    const { spec, healthySinceMs } = server;
    if (spec.policy !== policy || healthySinceMs > sentMs) return false;
    const readySinceMs = this.#readySinceMs.get(`${policy}/${spec.id}`);
    if (readySinceMs === undefined || readySinceMs > sentMs) return false;
    return this.#loadMs(server, sentMs) <= LOAD_MS;
  }

  // All that was asked for lately, as if this server had to do it alone.
  #loadMs({ spec }: SimulatedServer, sentMs: number): number {
    const asked = this.#asked.get(spec.policy) ?? [];
    const sinceMs = sentMs - LOAD_WINDOW_MS;
    while ((asked[0]?.atMs ?? sinceMs) < sinceMs) asked.shift();
    let sumMs = 0;
    for (const { slowMs } of asked) sumMs += Math.max(slowMs, spec.isSluggish ? LOAD_MS : spec.serviceMs);
    if (spec.keepsAlive) return sumMs / this.#options.pipelineDepth;
    return sumMs / (spec.backlog === null ? AT_ONCE : 1);
  }

  hasStalledSince(sinceMs: number): boolean {
    return this.#world.stalledUntilMs + AFTER_STALL_MS > sinceMs;
  }
}

/** By how many servers a request may have been worked on. */
export function maxAttemptsOf(options: ProxyOptions): number {
  return (options as { maxAttempts?: number }).maxAttempts ?? DEFAULT_MAX_ATTEMPTS;
}
