// pure · how a simulated server answers: rightly, wrongly, late, twice, or not at all.
// Must never be better behaved than its scenario says, or answer out of order on one connection.
import { hash } from 'node:crypto';
import { FrameReader } from '../../services/shared/framing.ts';
import { isHealthProbe } from '../../services/shared/health-probe.ts';
import { formatAnswer } from '../../services/shared/packet.ts';
import { AcceptQueue } from './accept-queue.ts';
import type { Endpoint } from './endpoint.ts';
import type { SimulatedServer } from './server.ts';
import { isPoison, lieAbout, slownessOf, strayKey, type World } from './world.ts';

// So long after an address has changed hands the next probe has told who is there.
const NOTICED_WITHIN_MS = 1300;
// Silence after which a server that resets reused connections takes the next request for the use of an old one.
const REUSED_AFTER_MS = 30;
const SECOND_COPY_MS = 3;
const WORK_YOUNG_MS = 400;
const FAULT_OVER_MS = 3000;
const NOBODYS_ID = 424_242;

/** How a server treats requests; liars, late, misaddressing and flapping ones treat probes as they should, full liars nobody. */
export type Behaviour =
  | 'honest'
  | 'mute'
  | 'late'
  | 'liar'
  | 'full-liar'
  | 'garbler'
  | 'slow'
  | 'resetter'
  | 'cutter'
  | 'doubler'
  | 'misaddresser'
  | 'flapper';

type RequestOnWire = { type: unknown; srcid: string | number; privPoliId: unknown; payload: string };

/** Starts to listen as the server's kind does. */
export function listenFor(server: SimulatedServer, world: World): void {
  const { host, spec } = server;
  const serve = (connection: Endpoint): void => new Serving(server, world, connection).start();
  const { network } = world;
  if (spec.backlog === null) {
    network.listen(host, spec.port, false, serve);
    return;
  }
  const queue = new AcceptQueue(host, spec.backlog, (connection, done) =>
    new Serving(server, world, connection).startOne(done),
  );
  network.listen(host, spec.port, true, queue);
}

/** One accepted connection. */
class Serving {
  readonly #server: SimulatedServer;
  readonly #world: World;
  readonly #connection: Endpoint;
  readonly #reader = new FrameReader();
  /** The worker that has this connection calls itself so. */
  readonly #answersAs: number;
  #freeAtMs = 0;
  #isMute = false;
  #answered = 0;
  /** When the requests came that have no answer yet. */
  readonly #pendingMs: number[] = [];
  #lastAnswerMs = 0;
  /** An answer was sent twice on it: from then on answers may be one place behind. */
  #hasDoubled = false;

  constructor(server: SimulatedServer, world: World, connection: Endpoint) {
    this.#server = server;
    this.#world = world;
    this.#connection = connection;
    const { id, workers } = server.spec;
    this.#answersAs = workers === 1 ? id : id * 100 + world.random.between(1, workers);
  }

  start(): void {
    const connection = this.#connection;
    connection.on('error', () => this.#onCut());
    connection.on('end', () => this.#onCut());
    connection.on('data', (chunk) => {
      this.#reader.feed(chunk);
      while (!this.#isMute && this.#reader.next()) this.#onFrame(() => {});
    });
  }

  /** Takes one request, answers and closes; nobody else is served meanwhile. */
  startOne(done: () => void): void {
    const connection = this.#connection;
    let hasRead = false;
    connection.on('error', done);
    connection.on('close', done);
    connection.on('end', () => {
      // It notices only when it reads.
      if (hasRead && !this.#isMute) return;
      connection.destroy();
      done();
    });
    connection.on('data', (chunk) => {
      this.#reader.feed(chunk);
      if (hasRead || !this.#reader.next()) return;
      hasRead = true;
      this.#onFrame(done);
    });
  }

  #onFrame(done: () => void): void {
    const { timeline } = this.#world;
    const server = this.#server;
    const packet = this.#packet();
    if (packet === null) return;
    const { srcid, payload } = packet;
    const isProbe = isHealthProbe({ clientId: srcid, payload });
    if (!isProbe) this.#checkPolicy(packet);
    if (server.spec.doesArithmetic && typeof srcid !== 'number' && !/^\d+$/.test(srcid)) {
      // The thread that does `int(srcid)` ends, and its connection with it.
      this.#world.reached('traits', 'an old server met a srcid that is no number');
      this.#connection.destroy();
      return;
    }
    if (isPoison(payload)) {
      this.#world.onPoison(server, payload);
      return;
    }
    if (!isProbe && this.#resetsThis(payload)) {
      this.#connection.reset();
      return;
    }
    // One that once says nothing stays silent: an answer to the next request would be taken for this one's.
    if (server.behaviour === 'mute') this.#isMute = true;
    if (this.#isMute) return;
    this.#pendingMs.push(timeline.nowMs);
    this.#freeAtMs = Math.max(this.#freeAtMs, timeline.nowMs + this.#serviceMs(isProbe, payload));
    server.host.after(this.#freeAtMs - timeline.nowMs, () => {
      this.#pendingMs.shift();
      this.#answer(srcid, payload, isProbe);
      done();
    });
  }

  #packet(): RequestOnWire | null {
    const { bytes, start, end } = this.#reader;
    const packet = JSON.parse(bytes.toString('utf8', start, end)) as RequestOnWire;
    return packet.type === 0 ? packet : null;
  }

  // A server that resets reused connections, and one that fails every second request.
  #resetsThis(payload: string): boolean {
    const { timeline, reached } = this.#world;
    const server = this.#server;
    const isIdle = this.#answered > 0 && this.#pendingMs.length === 0;
    if (server.spec.resetsReused && isIdle && timeline.nowMs - this.#lastAnswerMs > REUSED_AFTER_MS) {
      reached('traits', 'a reused connection was reset');
      return true;
    }
    if (server.behaviour !== 'flapper') return false;
    server.flaps += 1;
    this.#world.trace(() => `${server.name} ${server.flaps % 2 === 0 ? 'resets' : 'takes'} "${payload}"`);
    return server.flaps % 2 === 0;
  }

  #checkPolicy({ privPoliId }: RequestOnWire): void {
    const { timeline, stalledUntilMs, violate, network } = this.#world;
    const { atAddressSinceMs, behaviour, spec, name } = this.#server;
    if (String(privPoliId) === spec.policy) return;
    const sinceMs = Math.max(atAddressSinceMs, stalledUntilMs, network.machine.lastFaultMs);
    // Who garbles its answers does not say who it is.
    if (timeline.nowMs - sinceMs > NOTICED_WITHIN_MS && behaviour === 'honest')
      violate('a policy only reaches its servers', `${name} got a request of policy ${String(privPoliId)}`);
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
    const server = this.#server;
    const connection = this.#connection;
    const digest = this.#digestFor(payload, isProbe);
    const isMisaddressed = server.behaviour === 'misaddresser' && !isProbe;
    const destination = isMisaddressed ? NOBODYS_ID : clientId;
    const answer = formatAnswer(this.#answersAs, destination, digest);
    switch (server.behaviour) {
      case 'resetter':
        connection.reset();
        return;
      case 'cutter':
        connection.write(answer.slice(0, answer.length / 2), 'utf8');
        connection.destroy();
        return;
      case 'garbler':
        connection.write('garbage, not an answer\n', 'utf8');
        return;
      case 'doubler':
      case 'misaddresser':
      case 'flapper':
      case 'honest':
      case 'mute':
      case 'late':
      case 'liar':
      case 'full-liar':
      case 'slow':
        this.#answered += 1;
        this.#lastAnswerMs = this.#world.timeline.nowMs;
        if (isMisaddressed && !server.spec.keepsAlive) this.#world.misaddressed.add(payload);
        connection.write(answer, 'utf8');
        if (server.behaviour === 'doubler' && !isProbe) this.#repeat(answer);
        if (this.#hasDoubled) this.#world.strays.add(strayKey(clientId, digest));
        if (!server.spec.keepsAlive) connection.end();
        return;
      default:
        server.behaviour satisfies never;
    }
  }

  // Only where connections are kept can a second copy reach anybody.
  #repeat(answer: string): void {
    if (!this.#server.spec.keepsAlive) return;
    this.#hasDoubled = true;
    this.#server.host.after(SECOND_COPY_MS, () => {
      this.#world.reached('traits', 'an answer was sent twice');
      if (!this.#connection.isDestroyed) this.#connection.write(answer, 'utf8');
    });
  }

  #digestFor(payload: string, isProbe: boolean): string {
    const { behaviour } = this.#server;
    const lies = behaviour === 'full-liar' || (behaviour === 'liar' && !isProbe);
    if (!lies) return hash('sha1', payload);
    this.#world.lies.add(payload);
    return hash('sha1', lieAbout(payload));
  }

  // The proxy has ended it with work on it: who was replaced by another with its id has to be let finish.
  #onCut(): void {
    const { timeline, stoppingSinceMs, violate, hasSlowWork } = this.#world;
    const oldestMs = this.#pendingMs[0];
    const { isDoubled, behaviour, host, name, faultCount, lastFaultEndMs } = this.#server;
    // To have a twin is a fault; with one more it may be for that. What is slow may have been answered elsewhere.
    const isOurs = !isDoubled || behaviour !== 'honest' || !host.isAlive || faultCount > 1 || hasSlowWork;
    if (isOurs || oldestMs === undefined || timeline.nowMs >= stoppingSinceMs) return;
    const isYoung = timeline.nowMs - oldestMs < WORK_YOUNG_MS;
    if (isYoung && timeline.nowMs - lastFaultEndMs > FAULT_OVER_MS)
      violate('who is replaced may finish', `${name} had ${this.#pendingMs.length} requests in work`);
  }
}
