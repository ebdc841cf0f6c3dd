// pure · what is promised of replies: the right one, in time, and none lost that a healthy server would have answered.
import { hash } from 'node:crypto';
import { isInRotation } from '../../services/proxy/health/health.ts';
import type { Expected, Reply, SimulatedClient } from './client.ts';
import type { SimulatedProxy } from './proxy.ts';
import type { SimulatedServer } from './server.ts';
import type { Send, Traffic } from './traffic.ts';
import { isPoison, liePayload, slownessOf, strayKey, type World } from './world.ts';

/** Sweeps, and the way there and back. */
const REPLY_GRACE_MS = 150;
const LOST = new Set(['NO_SERVER', 'UPSTREAM_FAILED', 'UPSTREAM_TIMEOUT']);
// A shorter queue may be full.
const LONG_QUEUE = 1024;
const LOAD_WINDOW_MS = 2000;
// What a server that takes few at once can do before deadlines come near.
const LOAD_MS = 900;
/** The initial value of `--one-request-connections`. */
const AT_ONCE = 4;
/** When a machine that had nothing to dial with has it again, a request is sent again and answered within so long. */
const DIALS_AGAIN_MS = 1000;
/** Clients that read replies late, or never. */
const NOT_READING = new Set(['stall', 'deaf']);

export class ReplyPromises {
  readonly #world: World;
  readonly #proxy: SimulatedProxy;
  readonly #sources: SimulatedProxy['sources'];
  readonly #traffic: Traffic;
  /** Since when a server is in rotation, by policy and id. */
  readonly #readySinceMs = new Map<string, number>();
  /** When requests of a policy were made, and how slow they are. */
  readonly #asked = new Map<string, { atMs: number; slowMs: number }[]>();

  constructor(world: World, proxy: SimulatedProxy, traffic: Traffic) {
    this.#world = world;
    this.#proxy = proxy;
    this.#sources = proxy.sources;
    this.#traffic = traffic;
    this.#sources.events.listen(({ policy, id }) => {
      const upstream = this.#sources.table.findById(policy, id);
      const key = `${policy}/${String(id)}`;
      if (upstream === undefined || !isInRotation(upstream.health.state)) this.#readySinceMs.delete(key);
      else if (!this.#readySinceMs.has(key)) this.#readySinceMs.set(key, world.nowMs);
    });
  }

  /** A client has sent a request. */
  onAsked({ policy, payload, sentMs }: Expected): void {
    const asked = this.#asked.get(policy) ?? [];
    this.#asked.set(policy, asked);
    asked.push({ atMs: sentMs, slowMs: slownessOf(payload) });
    this.#traffic.onAsked(payload);
  }

  /** A client has got a reply to what it has sent. */
  onReply(expected: Expected, reply: Reply, client: SimulatedClient): void {
    const world = this.#world;
    const { options, nowMs } = world;
    if (reply.type !== -1) this.#checkAnswer(expected, reply, client);
    const tookMs = nowMs - (expected.dueFromMs ?? expected.sentMs);
    const isDisturbed = this.#proxy.hasStalledSince(expected.sentMs) || client.cutUntilMs >= expected.sentMs;
    const isLate = tookMs > options.requestTimeoutMs + REPLY_GRACE_MS;
    if (isLate && !isDisturbed && !NOT_READING.has(client.spec.kind))
      this.#proxy.violate('a reply in time', `"${expected.payload}" took ${tookMs.toFixed(1)} ms`);
    if (expected.kind !== 'answer' || isDisturbed) return;
    if (reply.code === 'OVERLOADED') this.#checkRoom(expected, reply);
    if (LOST.has(reply.code ?? '')) this.#checkLoss(expected, reply);
  }

  #checkAnswer({ kind, payload }: Expected, reply: Reply, client: SimulatedClient): void {
    const { lies, strays, misaddressed } = this.#world;
    const { id } = client.spec;
    const { type, payload: digest, destid } = reply;
    const text = `${client.host.name}: "${payload}" got ${digest} for client ${String(destid)}`;
    if (String(destid) !== String(id) && !misaddressed.has(payload))
      this.#proxy.violate("a reply carries the asker's id", text);
    const isRight = digest === hash('sha1', payload);
    const isLie = lies.has(payload) && digest === hash('sha1', liePayload(payload));
    if (kind === 'answer' && type === 2 && (isRight || isLie)) return;
    // One place behind on its connection, among answers to the same client: only a digest shows it.
    if (!strays.has(strayKey(id, digest))) this.#proxy.violate('the right answer', text);
  }

  #checkRoom({ sentMs, payload }: Expected, reply: Reply): void {
    const { network, places, options } = this.#world;
    const mayBe =
      options.maxWaiting < LONG_QUEUE ||
      places < Number.POSITIVE_INFINITY ||
      network.lastDialFaultMs >= sentMs - 100;
    if (!mayBe)
      this.#proxy.violate('overloaded only where something has run out', `"${payload}": ${reply.payload}`);
  }

  #checkLoss(expected: Expected, reply: Reply): void {
    const { options, servers } = this.#world;
    const mayFail =
      options.retry !== 'always' ||
      options.pipelineDepth < 64 ||
      isPoison(expected.payload) ||
      this.#traffic.isNearlyOutOfRetries(expected.policy) ||
      this.#wasTriedInVain(expected);
    const witness = mayFail ? undefined : servers.find((server) => this.#couldAnswer(server, expected));
    if (witness !== undefined)
      this.#proxy.violate(
        'nothing is lost while a server is healthy',
        `${witness.name}, "${expected.payload}": ${reply.payload}`,
      );
  }

  // So many servers that are not healthy have had it that no other one may be tried.
  #wasTriedInVain({ payload, sentMs }: Expected): boolean {
    const { network, hasSlowWork, options } = this.#world;
    // A server that resets reused connections may have worked on what it has read.
    const isSick = ({ server, wire, wasReused }: Send): boolean =>
      wire.isConnected &&
      (server === undefined ||
        this.#proxy.healthySinceMs(server) > sentMs ||
        (wasReused && server.spec.resetsReused));
    // With no port or descriptor left, no other one can be tried. Where all are slow, time does not show that one is sick.
    const isStuck = network.lastDialFaultMs >= sentMs || hasSlowWork;
    const sends = this.#traffic.find(payload)?.sends ?? [];
    return sends.filter(isSick).length >= (isStuck ? 1 : options.maxAttempts);
  }

  // Healthy and in rotation from before the request came, with the time to do it.
  #couldAnswer(server: SimulatedServer, { policy, sentMs, payload }: Expected): boolean {
    const { network, nowMs, options, messageMs } = this.#world;
    const { spec } = server;
    if (spec.policy !== policy || this.#proxy.healthySinceMs(server) > sentMs) return false;
    const readySinceMs = this.#readySinceMs.get(`${policy}/${spec.id}`);
    if (readySinceMs === undefined || readySinceMs + messageMs > sentMs) return false;
    // With no port or descriptor left it can't be asked, and slow work needs all of the time.
    const isSlow = spec.isSluggish || slownessOf(payload) > 0;
    const answersFromMs = network.lastDialFaultMs + (isSlow ? options.requestTimeoutMs : DIALS_AGAIN_MS);
    if (network.lastDialFaultMs >= sentMs && answersFromMs > nowMs) return false;
    // All that was asked for lately, as if this server had to do it alone.
    const asked = this.#asked.get(policy) ?? [];
    const sinceMs = sentMs - LOAD_WINDOW_MS;
    while ((asked[0]?.atMs ?? sinceMs) < sinceMs) asked.shift();
    let loadMs = 0;
    for (const { slowMs } of asked) loadMs += Math.max(slowMs, spec.isSluggish ? LOAD_MS : spec.serviceMs);
    if (spec.keepsAlive) return loadMs / options.pipelineDepth <= LOAD_MS;
    return loadMs / (spec.backlog === null ? AT_ONCE : 1) <= LOAD_MS;
  }
}
