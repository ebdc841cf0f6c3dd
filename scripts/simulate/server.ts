// pure · one simulated server: its process, its address, its registration. How it answers is in serving.ts.
import { formatHeartbeat, formatLeave } from '../../services/shared/packet.ts';
import type { FaultKind } from './faults.ts';
import { Host } from './host.ts';
import { AcceptQueue } from './network.ts';
import { Serving } from './serving.ts';
import { readPackets, type SimulatedSocket } from './socket.ts';
import { PROXY_ADDRESS, PROXY_PORT, type World } from './world.ts';

const REDIAL_MS = 80;
const REFUSED_MS = 1000;
const CONNECT_WITHIN_MS = 200;
const REPLY_WITHIN_MS = 1000;
const SILENCE_MS = 3000;
const LOOK_MS = 500;
// Answers that a slow or late server still owes are sent before the next ones on their connection.
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
  readonly name: string;
  /** How it treats requests: the fault that makes it so. */
  behaviour: FaultKind | 'honest' = 'honest';
  /** When it had recovered from its last fault; Infinity during one. */
  healthySinceMs = 0;
  /** Since when its machine has its address. */
  atAddressSinceMs = 0;
  /** How many faults it has now. */
  faults = 0;
  /** Counts the beginnings and the ends of its faults. */
  changes = 0;
  /** When one of its faults last ended. */
  lastFaultEndMs = Number.NEGATIVE_INFINITY;
  session: SimulatedSocket | null = null;
  /** It has announced to the proxy that it leaves. */
  isLeaving = false;
  /** Another server has registered with its id. */
  isDoubled = false;
  /** Requests that it has seen while it resets every second one. */
  flaps = 0;
  #starts = 0;
  readonly #world: World;

  constructor(spec: ServerSpec, world: World) {
    this.spec = spec;
    this.#world = world;
    this.name = `server-${spec.id}`;
    this.host = new Host(this.name, spec.address, world.timeline);
    this.host.kill();
  }

  get isUp(): boolean {
    return this.host.isAlive && !this.host.isFrozen && !this.isLeaving;
  }

  get address(): string {
    return `${this.host.address}:${this.spec.port}`;
  }

  beginFault(): void {
    this.faults += 1;
    this.changes += 1;
    this.healthySinceMs = Number.POSITIVE_INFINITY;
  }

  endFaults(count: number): void {
    this.faults -= count;
    this.changes += 1;
    this.lastFaultEndMs = this.#world.nowMs;
    if (this.faults === 0) this.healthySinceMs = this.#world.nowMs + RECOVERS_MS;
  }

  start(address = this.host.address): void {
    this.#starts += 1;
    this.isLeaving = false;
    this.session = null;
    this.host.address = address;
    this.host.revive();
    this.#world.network.attach(this.host);
    this.#listen();
    this.#world.trace(() => `${this.name} starts at ${this.address}`);
    this.register();
  }

  #listen(): void {
    const { port, backlog } = this.spec;
    const { network, nowMs } = this.#world;
    const serve = (connection: SimulatedSocket) => new Serving(this, this.#world, connection);
    this.atAddressSinceMs = nowMs;
    if (backlog === null) {
      network.listen(this.host, port, false, (connection) => serve(connection).start());
      return;
    }
    const queue = new AcceptQueue(this.host, backlog, (connection, done) => serve(connection).startOne(done));
    network.listen(this.host, port, true, queue);
  }

  /** Gives its machine another address, without the process noticing. */
  move(address: string): void {
    this.#world.network.stopListening(this.host);
    this.#world.network.move(this.host, address);
    this.#listen();
  }

  /** Ends the process at once. @param isAddressFreed whether the machine goes with it */
  crash(isAddressFreed: boolean): void {
    this.host.kill();
    this.#world.network.stopListening(this.host);
    if (isAddressFreed) this.#world.network.detach(this.host);
    this.session = null;
  }

  /** Announces to the proxy that it leaves; the process ends when the proxy has closed the session. */
  leave(): void {
    this.isLeaving = true;
    this.session?.write(formatLeave(this.spec.id));
  }

  /** Sends the setup packet over a new connection, which becomes its session if it has one. */
  register(): void {
    const { network, random } = this.#world;
    const { id, policy, port, hasSession, keepsAlive, hasIncarnation } = this.spec;
    const connection = network.dial(this.host, PROXY_ADDRESS, PROXY_PORT);
    let isRegistered = false;
    let isOver = false;
    let deadlineMs = this.#world.nowMs + CONNECT_WITHIN_MS;
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
      deadlineMs = this.#world.nowMs + REPLY_WITHIN_MS;
      const incarnation = hasIncarnation ? `boot-${this.#starts}` : undefined;
      const setup = { type: 1, id, privPoliId: policy, listenport: port, keepAlive: keepsAlive };
      connection.write(`${JSON.stringify({ ...setup, session: hasSession, incarnation })}\n`);
    });
    readPackets<{ type: number }>(connection, ({ type }) => {
      deadlineMs = this.#world.nowMs + SILENCE_MS;
      if (type === 3) connection.write(formatHeartbeat(id));
      else if (type === 1) {
        isRegistered = true;
        if (this.#world.sources.connections() >= this.#world.places)
          this.#world.reached('traits', 'a server registered while all places were held');
      } else again(REFUSED_MS + random.between(0, 500));
      if (!isRegistered || hasSession) return;
      isOver = true;
      connection.end();
    });
    const onGone = (): void => again(REDIAL_MS + random.between(0, 40));
    connection.on('error', onGone).on('end', onGone).on('close', onGone);
    const look = (): void => {
      if (isOver) return;
      if (this.#world.nowMs >= deadlineMs) again(REDIAL_MS);
      else this.host.after(LOOK_MS, look);
    };
    this.host.after(CONNECT_WITHIN_MS, look);
  }
}
