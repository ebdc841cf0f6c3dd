// pure · how a simulated server answers on one connection: rightly, wrongly, late, twice, or not at all.
import { hash } from 'node:crypto';
import { isHealthProbe } from '../../services/shared/health-probe.ts';
import { formatAnswer } from '../../services/shared/packet.ts';
import type { SimulatedProxy } from './proxy.ts';
import type { SimulatedServer } from './server.ts';
import { readPackets, type SimulatedSocket } from './socket.ts';
import { isPoison, liePayload, slownessOf, strayKey, type World } from './world.ts';

// So long after an address has changed hands the next probe has shown which server is there.
const NOTICED_WITHIN_MS = 1300;
// After so much silence a server that resets reused connections takes the next request for the use of an old one.
const REUSED_AFTER_MS = 30;
const SECOND_COPY_MS = 3;
const WORK_YOUNG_MS = 400;
const FAULT_OVER_MS = 3000;
const NOBODYS_ID = 424_242;

type Packet = { srcid: string | number; privPoliId: unknown; payload: string };

/** One accepted connection; its requests are answered in order. */
export class Serving {
  readonly #server: SimulatedServer;
  readonly #world: World;
  readonly #connection: SimulatedSocket;
  readonly #proxy: SimulatedProxy;
  /** Which start of the proxy has opened it. */
  readonly #start: number;
  /** The id of the worker that has this connection. */
  readonly #workerId: number;
  #freeAtMs = 0;
  #isMute = false;
  /** When the requests came that have no answer yet. */
  readonly #pendingMs: number[] = [];
  /** Infinity before the first answer. */
  #lastAnswerMs = Number.POSITIVE_INFINITY;
  /** An answer was sent twice on it: from then on answers may be one place behind. */
  #hasDoubled = false;

  constructor(server: SimulatedServer, world: World, connection: SimulatedSocket) {
    this.#server = server;
    this.#world = world;
    this.#connection = connection;
    const { remoteAddress } = connection;
    this.#proxy = world.proxies.find(({ host }) => host.address === remoteAddress) as SimulatedProxy;
    this.#start = this.#proxy.starts;
    const { id, workers } = server.spec;
    this.#workerId = workers === 1 ? id : id * 100 + world.random.between(1, workers);
  }

  start(): void {
    this.#connection.on('error', () => this.#onCut()).on('end', () => this.#onCut());
    readPackets<Packet>(
      this.#connection,
      (packet) => this.#onPacket(packet, () => {}),
      () => this.#isMute,
    );
  }

  /** Takes one request, answers and closes. @param done the next connection can be served */
  startOne(done: () => void): void {
    const connection = this.#connection;
    let hasRead = false;
    const onPacket = (packet: Packet): void => {
      hasRead = true;
      this.#onPacket(packet, done);
    };
    readPackets(connection, onPacket, () => hasRead);
    connection
      .on('error', done)
      .on('close', done)
      .on('end', () => {
        // It notices only when it reads.
        if (hasRead && !this.#isMute) return;
        connection.destroy();
        done();
      });
  }

  #onPacket({ srcid, privPoliId, payload }: Packet, done: () => void): void {
    const world = this.#world;
    const server = this.#server;
    const isProbe = isHealthProbe({ clientId: srcid, payload });
    if (!isProbe) this.#checkPolicy(String(privPoliId));
    if (server.spec.doesArithmetic && typeof srcid !== 'number' && !/^\d+$/.test(srcid)) {
      // The thread that does `int(srcid)` ends, and its connection with it.
      world.reached('traits', 'an old server met a srcid that is no number');
      this.#connection.destroy();
    } else if (isPoison(payload)) world.onPoison(server, payload, this.#proxy);
    else if (!isProbe && this.#resetsInsteadOf(payload)) this.#connection.resetAndDestroy();
    else {
      // Once mute it stays so: an answer to the next request would be taken for the answer to this one.
      if (server.behaviour === 'mute') this.#isMute = true;
      if (this.#isMute) return;
      this.#pendingMs.push(world.nowMs);
      this.#freeAtMs = Math.max(this.#freeAtMs, world.nowMs + this.#serviceMs(isProbe, payload));
      server.host.after(this.#freeAtMs - world.nowMs, () => {
        this.#pendingMs.shift();
        this.#answer(srcid, payload, isProbe);
        done();
      });
    }
  }

  #resetsInsteadOf(payload: string): boolean {
    const world = this.#world;
    const server = this.#server;
    const isIdle = this.#pendingMs.length === 0;
    if (server.spec.resetsReused && isIdle && world.nowMs - this.#lastAnswerMs > REUSED_AFTER_MS) {
      world.reached('traits', 'a reused connection was reset');
      return true;
    }
    if (server.behaviour !== 'reset-every-second') return false;
    server.flaps += 1;
    const resets = server.flaps % 2 === 0;
    world.trace(() => `${server.name} ${resets ? 'resets' : 'takes'} "${payload}"`);
    return resets;
  }

  #checkPolicy(policy: string): void {
    const { nowMs, network } = this.#world;
    const { atAddressSinceMs, lastFaultEndMs, behaviour, spec, name, host } = this.#server;
    if (policy === spec.policy) return;
    const { stalledUntilMs } = this.#proxy;
    const reachesFromMs = this.#proxy.reachesFromMs(host.address);
    // A server that was frozen reads late what has come early.
    const ownMs = Math.max(atAddressSinceMs, lastFaultEndMs);
    const sinceMs = Math.max(ownMs, stalledUntilMs, network.lastDialFaultMs, reachesFromMs);
    // A server that garbles its answers does not show which one it is.
    if (nowMs - sinceMs > NOTICED_WITHIN_MS && behaviour === 'honest')
      this.#world.violate('a policy only reaches its servers', `${name} got a request of policy ${policy}`);
  }

  #serviceMs(isProbe: boolean, payload: string): number {
    const { random } = this.#world;
    const { spec, behaviour } = this.#server;
    if (behaviour === 'late' && !isProbe) return random.between(1900, 3000);
    if (behaviour === 'slow') return random.between(600, 900);
    const slowMs = slownessOf(payload);
    if (slowMs > 0) return slowMs;
    if (spec.isSluggish) return isProbe ? 1 : random.between(700, 900);
    return random.between(0, spec.serviceMs * 100) / 100;
  }

  #answer(clientId: string | number, payload: string, isProbe: boolean): void {
    const connection = this.#connection;
    const world = this.#world;
    const { behaviour, spec, host } = this.#server;
    const digest = this.#digestFor(payload, isProbe);
    const isMisaddressed = behaviour === 'misaddress' && !isProbe;
    const answer = formatAnswer(this.#workerId, isMisaddressed ? NOBODYS_ID : clientId, digest);
    if (behaviour === 'reset-requests') connection.resetAndDestroy();
    else if (behaviour === 'cut-answers') {
      connection.write(answer.slice(0, answer.length / 2));
      connection.destroy();
    } else if (behaviour === 'garble') connection.write('garbage, not an answer\n');
    else {
      this.#lastAnswerMs = world.nowMs;
      if (isMisaddressed && !spec.keepsAlive) world.misaddressed.add(payload);
      connection.write(answer);
      // Only where connections are kept can a second copy reach another client.
      if (behaviour === 'answer-twice' && !isProbe && spec.keepsAlive) {
        this.#hasDoubled = true;
        host.after(SECOND_COPY_MS, () => {
          world.reached('traits', 'an answer was sent twice');
          if (!connection.isDestroyed) connection.write(answer);
        });
      }
      if (this.#hasDoubled) world.strays.add(strayKey(clientId, digest));
      if (!spec.keepsAlive) connection.end();
    }
  }

  #digestFor(payload: string, isProbe: boolean): string {
    const { behaviour } = this.#server;
    const isLie = behaviour === 'lie-always' || (behaviour === 'lie' && !isProbe);
    if (!isLie) return hash('sha1', payload);
    this.#world.lies.add(payload);
    return hash('sha1', liePayload(payload));
  }

  // The proxy has ended the connection with work on it: a server that was replaced by another with its id must finish.
  #onCut(): void {
    const { nowMs, hasSlowWork } = this.#world;
    const { stoppingSinceMs, isUp, starts } = this.#proxy;
    const isCutOff = this.#proxy.reachesFromMs(this.#server.host.address) > nowMs;
    if (!isUp || starts !== this.#start || isCutOff || this.#proxy.hasLost(this.#connection.peer?.host))
      return;
    const oldestMs = this.#pendingMs[0];
    const { isDoubled, behaviour, host, name, faults, lastFaultEndMs } = this.#server;
    // To have a twin is a fault; with one more it may be for that. What is slow may have been answered elsewhere.
    const isExcused = !isDoubled || behaviour !== 'honest' || !host.isAlive || faults > 1 || hasSlowWork;
    if (isExcused || oldestMs === undefined || nowMs >= stoppingSinceMs) return;
    if (nowMs - oldestMs < WORK_YOUNG_MS && nowMs - lastFaultEndMs > FAULT_OVER_MS)
      this.#world.violate(
        'a replaced server may finish its work',
        `${name} had ${this.#pendingMs.length} requests in work`,
      );
  }
}
