// pure · the faults of simulated servers, clients and the proxy's machine: each begins, and ends after its time.
import type { DialFault } from './network.ts';
import { WITHIN } from './promises.ts';
import type { SimulatedProxy } from './proxy.ts';
import { SimulatedServer } from './server.ts';
import type { World } from './world.ts';

const RESTARTS_MS = [300, 1500] as const;
const FLAPS = 3;
// Two failed probes in a row evict; one must not.
const FLAP_FROZEN_MS = 560;
const FLAP_GAP_MS = 2300;
// The session is silent for 3 s, and registering takes a moment.
const SWAP_NOTICED_MS = 4500;
/** After it was cut off from a proxy, as a server recovers from a fault. */
const REACHED_AGAIN_MS = 3000;
// While a proxy is frozen for seconds every request fails: nothing would be left to check.
const STALL_SHARE = 0.3;

export type Fault = {
  atMs: number;
  kind: FaultKind;
  forMs: number;
  /** Which of the servers. */
  server: number;
  client: number;
  proxy: number;
};

type Strike = (world: World, server: SimulatedServer, fault: Fault) => void;

/** Faults that any world can have. */
const PLAIN = {
  crash: (world, server, { forMs }) => crash(world, server, forMs, false, () => server.host.address),
  'crash-and-move': (world, server, { forMs }) =>
    crash(world, server, forMs, true, () => world.network.freeAddress()),
  'crash-and-take-over': (world, server, { forMs }) =>
    crash(world, server, forMs, true, () => addressOfADeadServer(world, server)),
  swap: (world, server, fault) => {
    const other = nextServer(world, fault);
    const [mine, its] = [server.host.address, other.host.address];
    crash(world, server, fault.forMs, true, () => its);
    if (other !== server) crash(world, other, fault.forMs, true, () => mine);
  },
  'swap-alive': (world, server, fault) => swapAlive(world, server, nextServer(world, fault)),
  freeze: (world, server, { forMs }) => freeze(world, server, forMs),
  flap: (world, server) => {
    for (let at = 0; at < FLAPS; at += 1) {
      world.timeline.after(at * FLAP_GAP_MS, () => freeze(world, server, FLAP_FROZEN_MS));
    }
  },
  cut: (world, server, { forMs }) => {
    const { address } = server.host;
    // Another machine may have the address of a dead one, and is not cut off with it.
    if (world.network.hosts.get(address) !== server.host) return;
    world.network.cut(address);
    for (const { promises } of running(world)) promises.mustLoseSession(server);
    during(world, server, forMs, 'cut off', WITHIN.silentMs, () => world.network.heal(address));
  },
  'cut-client': ({ clients, network, timeline }, _server, fault) => {
    const client = clients[fault.client] as World['clients'][number];
    client.cutUntilMs = timeline.nowMs + fault.forMs;
    network.cut(client.host.address);
    timeline.after(fault.forMs, () => network.heal(client.host.address));
  },
  mute: misbehave(WITHIN.silentMs),
  // Probes get the right answer, or requests are answered while probes are not: no time is promised for these.
  late: misbehave(null),
  lie: misbehave(null),
  'lie-always': misbehave(WITHIN.silentMs),
  garble: misbehave(WITHIN.silentMs),
  slow: misbehave(null),
  'reset-requests': misbehave(WITHIN.silentMs),
  'cut-answers': misbehave(WITHIN.silentMs),
  leave: (world, server, { forMs }) => {
    if (!server.isUp || ![...server.sessions.keys()].some((proxy) => isHeard(world, server, proxy))) return;
    const outWithinMs = (proxy: SimulatedProxy) => (isHeard(world, server, proxy) ? WITHIN.crashMs : null);
    during(world, server, forMs + 500, 'away', outWithinMs, () => {
      if (server.host.isAlive) server.crash(true);
      bringBack(world, server, server.host.address);
    });
    server.leave();
  },
  'register-twice': (world, server, fault) => {
    if (server.isUp) server.register(proxyOf(world, fault));
  },
  'lose-session': (world, { sessions }, fault) => {
    const session = sessions.get(proxyOf(world, fault));
    if (session === undefined) return;
    session.isBlackholed = true;
    // One way or both: with one the server does not notice, with both it may be the first to notice.
    if (session.peer !== null) session.peer.isBlackholed = world.random.between(0, 1) === 0;
  },
  stall: (world, _server, fault) => {
    const proxy = proxyOf(world, fault);
    proxy.freeze();
    thawAfter(world, proxy, fault.forMs * STALL_SHARE);
  },
} satisfies Record<string, Strike>;

/** Faults that only worlds with a certain cause have. */
const OF_CAUSES = {
  'stall-in-turn': (world, _server, fault) => {
    const proxy = proxyOf(world, fault);
    proxy.freezeInTurn();
    thawAfter(world, proxy, fault.forMs);
  },
  'kill-proxy': (world, _server, fault) => {
    const proxy = proxyOf(world, fault);
    if (!proxy.isUp || proxy.stoppingSinceMs < world.nowMs) return;
    world.reached('traits', 'a proxy was killed');
    proxy.kill();
    startAfter(world, proxy, fault.forMs);
  },
  'restart-proxy': (world, _server, fault) => {
    const proxy = proxyOf(world, fault);
    if (!proxy.isOpen || proxy.stoppingSinceMs < world.nowMs) return;
    const { starts } = proxy;
    void proxy.stop().then(() => {
      // It was killed meanwhile.
      if (!proxy.isUp || proxy.starts > starts) return;
      world.reached('traits', 'a proxy was restarted');
      proxy.kill();
      startAfter(world, proxy, world.isHealed ? 0 : fault.forMs);
    });
  },
  'crash-worker': (world, _server, fault) => {
    const proxy = proxyOf(world, fault);
    if (!proxy.isUp || proxy.stoppingSinceMs < world.nowMs) return;
    if (proxy.crashWorker()) world.reached('traits', 'a worker of a proxy has crashed');
  },
  'cut-from-proxy': (world, server, fault) => {
    const proxy = proxyOf(world, fault);
    const { address } = server.host;
    if (!proxy.isUp) return;
    world.reached('traits', 'a proxy was cut off from a server');
    proxy.cutOff(address);
    proxy.promises.mustLoseSession(server);
    server.changes += 1;
    proxy.promises.mustBeOut(server, WITHIN.silentMs, 'cut off');
    world.timeline.after(fault.forMs, () => {
      if (world.isHealed) return;
      server.changes += 1;
      proxy.reach(address, REACHED_AGAIN_MS);
    });
  },
  'no-ports': failDials('EADDRNOTAVAIL', 'local ports'),
  'no-descriptors': failDials('EMFILE', 'descriptors'),
  'answer-twice': misbehave(null),
  misaddress: misbehave(null),
  'reset-every-second': misbehave(null),
  // Two servers with one id replace each other for as long as both run.
  twin: (world, server, { forMs }) => {
    if (!server.isUp || server.sessions.size === 0 || server.isDoubled) return;
    const twin = new SimulatedServer({ ...server.spec, address: world.network.freeAddress() }, world);
    world.twins.add(twin);
    world.reached('traits', 'two servers had one id');
    for (const one of [server, twin]) one.isDoubled = true;
    twin.start();
    during(world, server, forMs, 'doubled', null, () => {
      twin.crash(true);
      world.twins.delete(twin);
      server.isDoubled = false;
    });
  },
} satisfies Record<string, Strike>;

type PlainFault = keyof typeof PLAIN;
export type FaultKind = PlainFault | keyof typeof OF_CAUSES;
export const PLAIN_FAULTS = Object.keys(PLAIN) as PlainFault[];
const FAULTS: Record<FaultKind, Strike> = { ...PLAIN, ...OF_CAUSES };

/** Begins a fault, which ends after its time. */
export function strike(fault: Fault, world: World): void {
  const server = world.servers[fault.server] as SimulatedServer;
  const { kind, client, proxy, forMs } = fault;
  world.trace(() => `${kind} of ${server.name} (client ${client + 1}, proxy ${proxy + 1}) for ${forMs} ms`);
  FAULTS[fault.kind](world, server, fault);
}

/** Ends all faults at once. */
export function healAll(world: World): void {
  const { network } = world;
  world.trace(() => 'everything is healed');
  world.isHealed = true;
  for (const proxy of world.proxies) {
    proxy.thaw();
    proxy.reachAll(REACHED_AGAIN_MS);
    if (!proxy.isUp) startAfter(world, proxy, 0);
  }
  network.dialFault = null;
  for (const { host } of world.clients) network.heal(host.address);
  for (const server of world.servers) {
    server.behaviour = 'honest';
    server.endFaults(server.faults);
    server.host.thaw();
    network.heal(server.host.address);
    if (server.isLeaving) server.crash(true);
    if (!server.host.isAlive) bringBack(world, server, server.host.address);
  }
}

/** A server has read a request that kills its process; it is started again after a while. */
export function killByPoison(
  world: World,
  server: SimulatedServer,
  payload: string,
  proxy: SimulatedProxy,
): void {
  // The second of two in one chunk.
  if (!server.host.isAlive) return;
  world.trace(() => `${server.name} dies of "${payload}"`);
  proxy.promises.traffic.onPoison(payload);
  // A twin is not started again.
  if (world.twins.has(server)) {
    server.crash(true);
    return;
  }
  const forMs = world.random.between(...RESTARTS_MS);
  crash(world, server, forMs, false, () => server.host.address);
}

function proxyOf({ proxies }: World, { proxy }: Fault): SimulatedProxy {
  return proxies[proxy] as SimulatedProxy;
}

function running({ proxies }: World): SimulatedProxy[] {
  return proxies.filter(({ isUp }) => isUp);
}

function startAfter(world: World, proxy: SimulatedProxy, ms: number): void {
  world.timeline.after(ms, () => {
    if (proxy.isUp) return;
    world.trace(() => `${proxy.name} starts`);
    world.isUnsettled = true;
    void proxy.start();
  });
}

// A fault lasts `forMs`. @param outWithinMs when the server must be out of the rotation; null when nothing is promised
function during(
  world: World,
  server: SimulatedServer,
  forMs: number,
  what: string,
  outWithinMs: number | null | ((proxy: SimulatedProxy) => number | null),
  end: () => void,
): void {
  const { isHealed } = world;
  server.beginFault();
  for (const proxy of running(world)) {
    const withinMs = typeof outWithinMs === 'function' ? outWithinMs(proxy) : outWithinMs;
    if (withinMs !== null) proxy.promises.mustBeOut(server, withinMs, what);
  }
  world.timeline.after(forMs, () => {
    // It has ended with all others. One that begins after that, as by a poison that was held up until then, ends by itself.
    if (world.isHealed !== isHealed) return;
    world.trace(() => `${server.name} is no longer ${what}`);
    end();
    server.endFaults(1);
  });
}

function crash(
  world: World,
  server: SimulatedServer,
  forMs: number,
  isAddressFreed: boolean,
  addressAfter: () => string,
): void {
  const heard = new Set(running(world).filter((proxy) => isHeard(world, server, proxy)));
  const withinMs = (proxy: SimulatedProxy): number =>
    heard.has(proxy) && !isAddressFreed ? WITHIN.crashMs : WITHIN.silentMs;
  server.crash(isAddressFreed);
  during(world, server, forMs, 'dead', withinMs, () => {
    if (!server.host.isAlive) bringBack(world, server, addressAfter());
  });
}

// Whether what its session sends, or that it ends, reaches the proxy.
function isHeard({ network, nowMs }: World, server: SimulatedServer, proxy: SimulatedProxy): boolean {
  const { host, sessions } = server;
  const isWhole = sessions.get(proxy)?.isBlackholed === false && proxy.reachesFromMs(host.address) <= nowMs;
  return isWhole && host.isAlive && !host.isFrozen && !network.cuts.has(host.address);
}

// Another server may have taken the address meanwhile, or have been cut off at it.
function bringBack({ network }: World, server: SimulatedServer, wished: string): void {
  network.detach(server.host);
  const isOwn = wished === server.host.address;
  const isFree = !network.hosts.has(wished) && (isOwn || !network.cuts.has(wished));
  server.start(isFree ? wished : network.freeAddress());
}

function addressOfADeadServer({ servers, network, random }: World, server: SimulatedServer): string {
  const isFree = (other: SimulatedServer): boolean =>
    other !== server && !other.host.isAlive && !network.hosts.has(other.host.address);
  const free = servers.filter(isFree);
  return free.length === 0 ? network.freeAddress() : random.pick(free).host.address;
}

function nextServer({ servers }: World, fault: Fault): SimulatedServer {
  return servers[(fault.server + 1) % servers.length] as SimulatedServer;
}

function thawAfter(world: World, proxy: SimulatedProxy, ms: number): void {
  proxy.stalledUntilMs = world.nowMs + ms;
  world.timeline.after(ms, () => proxy.thaw());
}

function freeze(world: World, server: SimulatedServer, forMs: number): void {
  if (world.isHealed || !server.host.isAlive || server.host.isFrozen) return;
  server.host.freeze();
  for (const { promises } of running(world)) promises.mustLoseSession(server);
  during(world, server, forMs, 'frozen', WITHIN.silentMs, () => server.host.thaw());
}

function misbehave(outWithinMs: number | null): Strike {
  return (world, server, { kind, forMs }) => {
    server.behaviour = kind;
    during(world, server, forMs, `in "${kind}"`, outWithinMs, () => {
      server.behaviour = 'honest';
    });
  };
}

// Two servers get each other's address while they run, as in Docker. Only their sessions show it.
function swapAlive(world: World, one: SimulatedServer, other: SimulatedServer): void {
  // A server that a proxy has never had an answer from, or that answers under several ids, can't be told from one in its place.
  // What is cut off is an address: whoever gets it would be cut off too.
  const isFit = ({ isUp, sessions, behaviour, spec, host }: SimulatedServer): boolean =>
    isUp &&
    sessions.size === world.proxies.length &&
    world.proxies.every(({ sources }) => sources.table.findById(spec.policy, spec.id)?.answersAs != null) &&
    behaviour === 'honest' &&
    spec.workers === 1 &&
    !world.network.cuts.has(host.address);
  if (one === other || !isFit(one) || !isFit(other)) return;
  const [mine, its] = [one.host.address, other.host.address];
  world.network.detach(other.host);
  one.move(its);
  other.move(mine);
  for (const server of [one, other]) during(world, server, SWAP_NOTICED_MS, 'elsewhere', null, () => {});
}

// The proxy's machine has nothing left to dial with.
function failDials(fault: DialFault, limit: string): Strike {
  return (world, _server, { forMs }) => {
    world.network.dialFault = fault;
    world.reached('limits', limit);
    world.timeline.after(forMs, () => {
      world.network.dialFault = null;
    });
  };
}
