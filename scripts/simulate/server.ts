// pure · one simulated server: how it lives, registers and goes; serving.ts has how it answers.
import { FrameReader } from '../../services/shared/framing.ts';
import { formatHeartbeat, formatLeave } from '../../services/shared/packet.ts';
import type { Endpoint } from './endpoint.ts';
import { Host } from './host.ts';
import { type Behaviour, listenFor } from './serving.ts';
import { PROXY_ADDRESS, PROXY_PORT, type World } from './world.ts';

const REDIAL_MS = 80;
const REFUSED_MS = 1000;
const CONNECT_WITHIN_MS = 200;
const REPLY_WITHIN_MS = 1000;
const SILENCE_MS = 3000;
const LOOK_MS = 500;
// Answers that a slow or late server still owes go out before the next ones on their connection.
const RECOVERS_MS = 3000;

export type ServerSpec = {
  id: number;
  policy: string;
  address: string;
  port: number;
  hasSession: boolean;
  keepsAlive: boolean;
  hasIncarnation: boolean;
  serviceMs: number;
  /** It serves one connection at a time, and so many more wait in its accept queue; null where each is served at once. */
  backlog: number | null;
  /** It takes 700 to 900 ms for everything but probes. */
  isSluggish: boolean;
  /** It resets a connection that is used again after some silence. */
  resetsReused: boolean;
  /** It can't take a `srcid` that is no number. */
  doesArithmetic: boolean;
  /** So many processes behind the port; with more than one each answers under an id of its own. */
  workers: number;
};

export class SimulatedServer {
  readonly spec: ServerSpec;
  readonly host: Host;
  behaviour: Behaviour = 'honest';
  /** Since when it is over its last fault; Infinity while it suffers one. */
  healthySinceMs = 0;
  /** Since when its machine has its address. */
  atAddressSinceMs = 0;
  /** Counts the beginnings and the ends of its faults. */
  changes = 0;
  session: Endpoint | null = null;
  /** It has told the proxy that it goes. */
  isLeaving = false;
  /** Another server has registered with its id. */
  isDoubled = false;
  /** When one of its faults last ended. */
  lastFaultEndMs = Number.NEGATIVE_INFINITY;
  /** Requests that it has seen as a flapper. */
  flaps = 0;
  #faults = 0;
  #boots = 0;
  readonly #world: World;

  constructor(spec: ServerSpec, world: World) {
    this.spec = spec;
    this.#world = world;
    this.host = new Host(`server-${spec.id}`, spec.address, world.timeline);
    this.host.kill();
  }

  get name(): string {
    return this.host.name;
  }

  get isUp(): boolean {
    return this.host.isAlive && !this.host.isFrozen && !this.isLeaving;
  }

  get address(): string {
    return `${this.host.address}:${this.spec.port}`;
  }

  /** How many faults it suffers now. */
  get faultCount(): number {
    return this.#faults;
  }

  beginFault(): void {
    this.#faults += 1;
    this.changes += 1;
    this.healthySinceMs = Number.POSITIVE_INFINITY;
  }

  endFault(): void {
    this.#faults -= 1;
    this.changes += 1;
    this.lastFaultEndMs = this.#world.timeline.nowMs;
    if (this.#faults === 0) this.healthySinceMs = this.#world.timeline.nowMs + RECOVERS_MS;
  }

  endAllFaults(): void {
    this.#faults = 0;
    this.changes += 1;
    this.healthySinceMs = this.#world.timeline.nowMs + RECOVERS_MS;
  }

  start(address: string = this.host.address): void {
    const { network, trace } = this.#world;
    this.#boots += 1;
    this.isLeaving = false;
    this.session = null;
    this.host.address = address;
    this.host.revive();
    network.attach(this.host);
    this.#listen();
    trace(() => `${this.name} starts at ${this.address}`);
    this.register();
  }

  #listen(): void {
    const { timeline } = this.#world;
    this.atAddressSinceMs = timeline.nowMs;
    listenFor(this, this.#world);
  }

  /** Its machine gets another address, and the process is not told. */
  move(address: string): void {
    const { network } = this.#world;
    network.stopListening(this.host);
    network.move(this.host, address);
    this.#listen();
  }

  /** Ends the process at once. @param isAddressFreed whether the machine goes with it */
  crash(isAddressFreed: boolean): void {
    const { network } = this.#world;
    this.host.kill();
    network.stopListening(this.host);
    if (isAddressFreed) network.detach(this.host);
    this.session = null;
  }

  /** Tells the proxy that it goes; it ends when the proxy has closed the session. */
  leave(): void {
    this.isLeaving = true;
    this.session?.write(formatLeave(this.spec.id), 'utf8');
  }

  /** Sends the setup packet over a new connection, and keeps that if it is a session. */
  register(): void {
    const { network, timeline, random, sources, places, reached } = this.#world;
    const { id, policy, port, hasSession, keepsAlive, hasIncarnation } = this.spec;
    const connection = network.dial(this.host, PROXY_ADDRESS, PROXY_PORT);
    const reader = new FrameReader();
    let isRegistered = false;
    let isOver = false;
    let deadlineMs = timeline.nowMs + CONNECT_WITHIN_MS;
    if (hasSession) this.session = connection;
    const again = (ms: number): void => {
      if (isOver) return;
      isOver = true;
      connection.destroy();
      if (this.session === connection) this.session = null;
      else if (hasSession) return;
      if (!this.isLeaving) this.host.after(ms, () => this.register());
    };
    connection.on('connect', () => {
      deadlineMs = timeline.nowMs + REPLY_WITHIN_MS;
      const incarnation = hasIncarnation ? `boot-${this.#boots}` : undefined;
      const setup = { type: 1, id, privPoliId: policy, listenport: port, keepAlive: keepsAlive };
      connection.write(`${JSON.stringify({ ...setup, session: hasSession, incarnation })}\n`, 'utf8');
    });
    connection.on('data', (chunk) => {
      reader.feed(chunk);
      while (reader.next()) {
        const { type } = JSON.parse(reader.bytes.toString('utf8', reader.start, reader.end));
        deadlineMs = timeline.nowMs + SILENCE_MS;
        if (type === 3) connection.write(formatHeartbeat(id), 'utf8');
        else if (type === 1) {
          isRegistered = true;
          if (sources.connections() >= places)
            reached('traits', 'a server registered while all places were held');
        } else again(REFUSED_MS + random.between(0, 500));
        if (isRegistered && !hasSession) {
          isOver = true;
          connection.end();
        }
      }
    });
    const onGone = (): void => again(REDIAL_MS + random.between(0, 40));
    connection.on('error', onGone);
    connection.on('end', onGone);
    connection.on('close', onGone);
    const look = (): void => {
      if (isOver) return;
      if (timeline.nowMs >= deadlineMs) again(REDIAL_MS);
      else this.host.after(LOOK_MS, look);
    };
    this.host.after(CONNECT_WITHIN_MS, look);
  }
}
