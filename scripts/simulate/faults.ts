// pure · what goes wrong in the simulated world, and how it is put right again.
// Must never leave a fault without an end: what is promised of the proxy is promised of a world that heals.
import type { SimulatedClient } from './client.ts';
import type { LocalFault } from './local-machine.ts';
import { SimulatedServer } from './server.ts';
import type { Behaviour } from './serving.ts';
import type { Watch } from './watch.ts';
import type { World } from './world.ts';

const MISBEHAVIOURS: Partial<Record<FaultKind, Behaviour>> = {
  mute: 'mute',
  late: 'late',
  lie: 'liar',
  'lie-always': 'full-liar',
  garble: 'garbler',
  slow: 'slow',
  'reset-requests': 'resetter',
  'cut-answers': 'cutter',
  'answer-twice': 'doubler',
  misaddress: 'misaddresser',
  'reset-every-second': 'flapper',
};
// Probes get the right answer, or real requests are answered while they don't: nobody promises when somebody notices.
const UNNOTICED: ReadonlySet<Behaviour> = new Set([
  'liar',
  'late',
  'slow',
  'doubler',
  'misaddresser',
  'flapper',
]);
const RESTARTS_MIN_MS = 300;
const RESTARTS_MAX_MS = 1500;
const FLAPS = 3;
// The session is silent for 3 s, and registering takes a moment.
const SWAP_NOTICED_MS = 4500;
// Twice in a row evicts; once must not.
const FLAP_FROZEN_MS = 560;
const FLAP_GAP_MS = 2300;
// A proxy that is frozen for seconds has let down everybody: nothing would be left to check.
const STALL_SHARE = 0.3;

export const FAULT_KINDS = [
  'crash',
  'crash-and-move',
  'crash-and-take-over',
  'swap',
  'swap-alive',
  'freeze',
  'flap',
  'cut',
  'cut-client',
  'mute',
  'late',
  'lie',
  'lie-always',
  'garble',
  'slow',
  'reset-requests',
  'cut-answers',
  'leave',
  'register-twice',
  'lose-session',
  'stall',
] as const;

/** Faults that only worlds with the cause have. */
export const FAULTS_OF_CAUSES = {
  ports: 'no-ports',
  descriptors: 'no-descriptors',
  doubler: 'answer-twice',
  misaddress: 'misaddress',
  flapper: 'reset-every-second',
  twin: 'twin',
} as const;

type FaultKind = (typeof FAULT_KINDS)[number] | (typeof FAULTS_OF_CAUSES)[keyof typeof FAULTS_OF_CAUSES];

export type Fault = {
  atMs: number;
  kind: FaultKind;
  forMs: number;
  /** Which of the servers. */
  server: number;
  client: number;
};

/** Whom faults can happen to. */
export type Cluster = {
  world: World;
  servers: SimulatedServer[];
  clients: SimulatedClient[];
  watch: Watch;
  /** Servers that have another one's id. */
  twins: Set<SimulatedServer>;
  /** From now on nothing goes wrong any more. */
  isHealed: boolean;
};

/** Has a fault begin now, and end after its time. */
export function strike(fault: Fault, cluster: Cluster): void {
  const { world, servers, clients, watch } = cluster;
  const server = servers[fault.server] as SimulatedServer;
  const client = clients[fault.client] as SimulatedClient;
  const { timeline, network, proxy } = world;
  const { kind, forMs } = fault;
  world.trace(() => `${kind} of ${kind === 'cut-client' ? client.host.name : server.name} for ${forMs} ms`);
  switch (kind) {
    case 'crash':
      crash(cluster, server, forMs, false, () => server.host.address);
      return;
    case 'crash-and-move':
      crash(cluster, server, forMs, true, () => network.freeAddress());
      return;
    case 'crash-and-take-over':
      crash(cluster, server, forMs, true, () => addressOfTheDead(cluster, server));
      return;
    case 'swap': {
      const other = servers[(fault.server + 1) % servers.length] as SimulatedServer;
      const [mine, its] = [server.host.address, other.host.address];
      crash(cluster, server, forMs, true, () => its);
      if (other !== server) crash(cluster, other, forMs, true, () => mine);
      return;
    }
    case 'swap-alive':
      swapAlive(cluster, server, servers[(fault.server + 1) % servers.length] as SimulatedServer);
      return;
    case 'freeze':
      freeze(cluster, server, forMs);
      return;
    case 'flap':
      for (let at = 0; at < FLAPS; at += 1) {
        timeline.after(at * FLAP_GAP_MS, () => freeze(cluster, server, FLAP_FROZEN_MS));
      }
      return;
    case 'cut': {
      const { address } = server.host;
      network.cut(address);
      watch.mustLoseSession(server);
      during(cluster, server, forMs, 'cut off', () => network.heal(address));
      return;
    }
    case 'cut-client':
      client.cutUntilMs = timeline.nowMs + forMs;
      network.cut(client.host.address);
      timeline.after(forMs, () => network.heal(client.host.address));
      return;
    case 'leave':
      leave(cluster, server, forMs);
      return;
    case 'register-twice':
      if (server.isUp) server.register();
      return;
    case 'lose-session':
      loseSession(server);
      return;
    case 'stall':
      world.stalledUntilMs = timeline.nowMs + forMs * STALL_SHARE;
      proxy.freeze();
      timeline.after(forMs * STALL_SHARE, () => proxy.thaw());
      return;
    case 'no-ports':
      runOut(cluster, 'EADDRNOTAVAIL', forMs);
      return;
    case 'no-descriptors':
      runOut(cluster, 'EMFILE', forMs);
      return;
    case 'twin':
      doubleId(cluster, server, forMs);
      return;
    default:
      misbehave(cluster, server, MISBEHAVIOURS[kind] as Behaviour, forMs);
  }
}

/** Puts everything right at once. */
export function healAll(cluster: Cluster): void {
  const { world, servers, clients } = cluster;
  world.trace(() => 'everything is healed');
  cluster.isHealed = true;
  world.proxy.thaw();
  world.network.machine.fault = null;
  for (const twin of cluster.twins) twin.crash(true);
  for (const { host } of clients) world.network.heal(host.address);
  for (const server of servers) {
    server.behaviour = 'honest';
    server.isDoubled = false;
    server.endAllFaults();
    server.host.thaw();
    world.network.heal(server.host.address);
    if (server.isLeaving) server.crash(true);
    if (!server.host.isAlive) bringBack(server, world, server.host.address);
  }
}

// Counts the fault in and, at its end, out again.
function during(
  cluster: Cluster,
  server: SimulatedServer,
  forMs: number,
  what: string,
  end: () => void,
  outWithinMs: number | null = cluster.watch.promises.silentMs,
): void {
  const { watch } = cluster;
  const { timeline, trace } = cluster.world;
  server.beginFault();
  if (outWithinMs !== null) watch.mustBeOut(server, outWithinMs, what);
  timeline.after(forMs, () => {
    if (cluster.isHealed) return;
    trace(() => `${server.name} is no longer ${what}`);
    end();
    server.endFault();
  });
}

function crash(
  cluster: Cluster,
  server: SimulatedServer,
  forMs: number,
  isAddressFreed: boolean,
  addressAfter: () => string,
): void {
  const { watch, world } = cluster;
  const withinMs =
    isHeard(server, world) && !isAddressFreed ? watch.promises.crashMs : watch.promises.silentMs;
  server.crash(isAddressFreed);
  during(
    cluster,
    server,
    forMs,
    'dead',
    () => {
      if (!server.host.isAlive) bringBack(server, world, addressAfter());
    },
    withinMs,
  );
}

// Whether what its session says, or that it ends, gets to the proxy.
function isHeard({ host, session }: SimulatedServer, { network }: World): boolean {
  const isWhole = session !== null && !session.isBlackholed;
  return isWhole && host.isAlive && !host.isFrozen && !network.isCut(host.address);
}

// Somebody else may have got the address meanwhile.
function bringBack(server: SimulatedServer, { network }: World, wished: string): void {
  const owner = network.hostAt(wished);
  network.detach(server.host);
  server.start(owner === undefined || owner === server.host ? wished : network.freeAddress());
}

function addressOfTheDead({ servers, world }: Cluster, server: SimulatedServer): string {
  const free = servers.filter(
    (other) =>
      other !== server && !other.host.isAlive && world.network.hostAt(other.host.address) === undefined,
  );
  return free.length === 0 ? world.network.freeAddress() : world.random.pick(free).host.address;
}

function freeze(cluster: Cluster, server: SimulatedServer, forMs: number): void {
  if (cluster.isHealed || !server.host.isAlive || server.host.isFrozen) return;
  server.host.freeze();
  cluster.watch.mustLoseSession(server);
  during(cluster, server, forMs, 'frozen', () => server.host.thaw());
}

function misbehave(cluster: Cluster, server: SimulatedServer, behaviour: Behaviour, forMs: number): void {
  server.behaviour = behaviour;
  const withinMs = UNNOTICED.has(behaviour) ? null : cluster.watch.promises.silentMs;
  during(
    cluster,
    server,
    forMs,
    behaviour,
    () => {
      server.behaviour = 'honest';
    },
    withinMs,
  );
}

function leave(cluster: Cluster, server: SimulatedServer, forMs: number): void {
  const { world } = cluster;
  if (!server.isUp || !isHeard(server, world)) return;
  server.leave();
  during(
    cluster,
    server,
    forMs + 500,
    'away',
    () => {
      if (server.host.isAlive) server.crash(true);
      bringBack(server, world, server.host.address);
    },
    cluster.watch.promises.crashMs,
  );
}

// Two that were cut off come back with each other's address, as in Docker. Only a session tells them of it.
function swapAlive(cluster: Cluster, one: SimulatedServer, other: SimulatedServer): void {
  // Who has never answered, or answers under several ids, can't be told from who answers in its place.
  const isFit = ({ isUp, session, behaviour, spec }: SimulatedServer): boolean =>
    isUp && session !== null && behaviour === 'honest' && spec.workers === 1;
  if (one === other || !isFit(one) || !isFit(other)) return;
  const [mine, its] = [one.host.address, other.host.address];
  cluster.world.network.detach(other.host);
  one.move(its);
  other.move(mine);
  for (const server of [one, other]) during(cluster, server, SWAP_NOTICED_MS, 'elsewhere', () => {}, null);
}

function loseSession(server: SimulatedServer): void {
  const { session } = server;
  if (session === null) return;
  session.isBlackholed = true;
  if (session.peer !== null) session.peer.isBlackholed = true;
}

// The proxy's own machine has nothing left to dial with.
function runOut({ world }: Cluster, fault: LocalFault, forMs: number): void {
  const { machine } = world.network;
  machine.fault = fault;
  world.reached('limits', fault === 'EMFILE' ? 'descriptors' : 'local ports');
  world.timeline.after(forMs, () => {
    machine.fault = null;
  });
}

// Two servers with one id replace each other for as long as both run.
function doubleId(cluster: Cluster, server: SimulatedServer, forMs: number): void {
  const { world, twins } = cluster;
  if (!server.isUp || server.session === null || server.isDoubled) return;
  const twin = new SimulatedServer({ ...server.spec, address: world.network.freeAddress() }, world);
  twins.add(twin);
  world.reached('traits', 'two servers had one id');
  for (const one of [server, twin]) one.isDoubled = true;
  twin.start();
  during(
    cluster,
    server,
    forMs,
    'doubled',
    () => {
      twin.crash(true);
      twins.delete(twin);
      server.isDoubled = false;
    },
    null,
  );
}

/** A server has read a request that kills its process; it is started again after a while. */
export function dieOfPoison(cluster: Cluster, server: SimulatedServer, payload: string): void {
  const { world, watch } = cluster;
  if (!server.host.isAlive) return;
  world.trace(() => `${server.name} dies of "${payload}"`);
  watch.onPoison(payload);
  // A twin has nobody who starts it again.
  if (cluster.twins.has(server)) server.crash(true);
  else
    crash(
      cluster,
      server,
      world.random.between(RESTARTS_MIN_MS, RESTARTS_MAX_MS),
      false,
      () => server.host.address,
    );
}
