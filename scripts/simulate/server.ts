// pure · one simulated server: its process, its address, its registration. How it answers is in serving.ts.
import { Announcement } from '../../services/server/announce.ts';
import type { FaultKind } from './faults.ts';
import { Host } from './host.ts';
import { AcceptQueue } from './network.ts';
import type { SimulatedProxy } from './proxy.ts';
import { Serving } from './serving.ts';
import { readPackets, type SimulatedSocket } from './socket.ts';
import { PROXY_PORT, type World } from './world.ts';

const REDIAL_MS = 80;
const REFUSED_MS = 1000;
const CONNECT_WITHIN_MS = 200;
const REPLY_WITHIN_MS = 1000;
const LEAVES_WITHIN_MS = 5000;
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
  /** The connection of its session with each proxy. */
  readonly sessions = new Map<SimulatedProxy, SimulatedSocket>();
  /** It has announced to the proxies that it leaves. */
  isLeaving = false;
  /** Another server has registered with its id. */
  isDoubled = false;
  /** Requests that it has seen while it resets every second one. */
  flaps = 0;
  #starts = 0;
  #announcement: Announcement | null = null;
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
    this.sessions.clear();
    this.host.address = address;
    this.host.revive();
    this.#world.network.attach(this.host);
    this.#listen();
    this.#world.trace(() => `${this.name} starts at ${this.address}`);
    if (this.spec.hasSession) this.#announce();
    else for (const proxy of this.#world.proxies) this.register(proxy);
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
    this.sessions.clear();
  }

  /** Announces to the proxies that it leaves. */
  leave(): void {
    this.isLeaving = true;
    void this.#announcement?.leave(LEAVES_WITHIN_MS);
    this.#world.isUnsettled = true;
  }

  // The real server's own code keeps a session with each proxy.
  #announce(): void {
    const world = this.#world;
    const onWork = (): void => {
      world.isUnsettled = true;
    };
    this.#announcement = new Announcement({
      proxies: [{ host: 'proxy', port: PROXY_PORT }],
      serverId: this.spec.id,
      setup: (_nonce, sessionsWith) => this.#setup({ session: true, sessionsWith }),
      resolve: async () => world.proxies.filter(({ isUp }) => isUp).map(({ host }) => host.address),
      clock: this.host.clock(onWork),
      dial: (address, _port, _tls, _name, onOpen) => {
        const socket = this.#dial(address);
        for (const event of ['data', 'error', 'close'] as const) socket.on(event, onWork);
        return socket.on('connect', onWork).on('connect', onOpen);
      },
      log: ({ message, proxy, why = '' }) =>
        world.trace(() => `${this.name}: ${message}, ${String(proxy)} ${String(why)}`),
      random: () => world.random.between(0, 0x3fff_ffff) / 0x4000_0000,
    });
    this.#announcement.start();
    world.isUnsettled = true;
  }

  #setup(more: object): string {
    const { id, policy, port, keepsAlive, hasIncarnation } = this.spec;
    const incarnation = hasIncarnation ? `boot-${this.#starts}` : undefined;
    const setup = { type: 1, id, privPoliId: policy, listenport: port, keepAlive: keepsAlive };
    return `${JSON.stringify({ ...setup, incarnation, ...more })}\n`;
  }

  // Whoever has the session with a proxy has dialled it last.
  #dial(address: string): SimulatedSocket {
    const { network, proxies } = this.#world;
    const socket = network.dial(this.host, address, PROXY_PORT);
    const proxy = proxies.find(({ host }) => host.address === address);
    if (proxy !== undefined) this.sessions.set(proxy, socket);
    socket.on('close', () => {
      if (proxy !== undefined && this.sessions.get(proxy) === socket) this.sessions.delete(proxy);
    });
    return socket;
  }

  /** Sends the setup packet to one proxy over a connection that is closed then, as a server of the old kind does. */
  register(proxy: SimulatedProxy): void {
    const { network, random } = this.#world;
    const connection = network.dial(this.host, proxy.host.address, PROXY_PORT);
    let isOver = false;
    let deadlineMs = this.#world.nowMs + CONNECT_WITHIN_MS;
    const again = (ms: number): void => {
      if (isOver) return;
      isOver = true;
      connection.destroy();
      if (!this.isLeaving) this.host.after(ms, () => this.register(proxy));
    };
    connection.on('connect', () => {
      deadlineMs = this.#world.nowMs + REPLY_WITHIN_MS;
      connection.write(this.#setup({ session: false }));
    });
    readPackets<{ type: number }>(connection, ({ type }) => {
      if (type !== 1) again(REFUSED_MS + random.between(0, 500));
      else {
        isOver = true;
        connection.end();
      }
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
