// pure · what each cause puts into a world: other servers, clients, faults, or limits of the machine and the network.
// Must never draw from anything but the seed, or the same seed would stop meaning the same world.
import type { Random } from '../kit/random.ts';
import { AWAITED, CAUSES, type Cause, type Only } from './causes.ts';
import type { ClientKind } from './client.ts';
import { FAULTS_OF_CAUSES, type Fault } from './faults.ts';
import { drawServer, FAULTS_FROM_MS, FAULTS_UNTIL_MS, type Scenario } from './scenario.ts';
import type { ServerSpec } from './server.ts';

const ONE_IN = 9;
const SERVERS_TO_KILL = 6;
const PLACES = 30;
/** Too few for a port a request, and enough for those that probes and broken connections leave behind. */
const PORTS = 400;
/** Where the simulated servers are. */
const SERVER_NETWORKS = ['10.0.1.0/24', '10.0.3.0/24'];

/** Which causes a world has; with `only`, that one or none. */
export function drawCauses(random: Random, only: Only): Cause[] {
  // Each is drawn, also one that is awaited, so that the others of a seed don't depend on that.
  const drawn = CAUSES.filter(() => random.between(1, ONE_IN) === 1);
  return only === null
    ? drawn.filter((cause) => !AWAITED.has(cause))
    : CAUSES.filter((cause) => cause === only);
}

/** Puts the causes into a scenario. @param asked the policies that clients ask for */
export function addCauses(scenario: Scenario, asked: readonly string[], random: Random): void {
  for (const cause of scenario.causes) new Meanness(scenario, asked, random).add(cause);
}

class Meanness {
  readonly #scenario: Scenario;
  readonly #asked: readonly string[];
  readonly #random: Random;

  constructor(scenario: Scenario, asked: readonly string[], random: Random) {
    this.#scenario = scenario;
    this.#asked = asked;
    this.#random = random;
  }

  add(cause: Cause): void {
    const random = this.#random;
    const { options } = this.#scenario;
    switch (cause) {
      case 'ports':
      case 'descriptors':
        this.#fault(FAULTS_OF_CAUSES[cause], random.pick([700, 1500, 3000]));
        return;
      case 'doubler':
      case 'misaddress':
        this.#some((spec) => {
          spec.keepsAlive = true;
        });
        this.#fault(FAULTS_OF_CAUSES[cause], 3000);
        this.#client('pipeline', 100, 8);
        this.#client('pipeline', 100, 8);
        return;
      case 'twin':
        this.#fault(FAULTS_OF_CAUSES[cause], random.pick([700, 3000]));
        return;
      case 'flapper':
        this.#fault(FAULTS_OF_CAUSES[cause], 5500);
        this.#client('pipeline', 30, 4);
        return;
      case 'time-wait':
        this.#scenario.portsPerDestination = PORTS;
        this.#old((spec) => {
          spec.hasSession = random.between(0, 1) === 0;
        });
        this.#client('oneshot', 30, 1);
        return;
      case 'accept-queue':
        this.#old((spec) => {
          spec.backlog = random.between(1, 10);
        });
        this.#client('burster', 600, 1);
        return;
      case 'sluggish':
        this.#some((spec) => {
          spec.keepsAlive = true;
          spec.isSluggish = true;
        });
        return;
      case 'slow-request':
        this.#client('dawdler', 250, 2);
        return;
      case 'burst':
        this.#client('burster', 600, 1);
        return;
      case 'poison':
        this.#crowd();
        this.#client('poisoner', 400, 1);
        return;
      case 'middlebox':
        this.#scenario.forgetsAfterMs = random.pick([2200, 3000]);
        this.#some((spec) => {
          spec.keepsAlive = true;
        });
        for (const client of this.#scenario.clients) client.thinkMs = 3000;
        return;
      case 'reset-reused':
        this.#some((spec) => {
          spec.keepsAlive = true;
          spec.resetsReused = true;
        });
        return;
      case 'workers':
        this.#some((spec) => {
          spec.workers = random.between(2, 4);
        });
        return;
      case 'arithmetic':
        this.#some((spec) => {
          spec.hasSession = false;
          spec.doesArithmetic = true;
        });
        return;
      case 'deaf':
        this.#client('deaf', 4000, 1);
        return;
      case 'squatter':
        options.maxConnections = PLACES;
        options.registerFrom = SERVER_NETWORKS;
        this.#client('squatter', 100, 1);
        return;
      case 'flooder':
        this.#client('flooder', 600, 1);
        return;
      case 'sick-neighbour':
        this.#sickNeighbour();
        return;
      default:
        cause satisfies never;
    }
  }

  #client(kind: ClientKind, thinkMs: number, burst: number, policies: string[] = [...this.#asked]): void {
    const { clients } = this.#scenario;
    clients.push({ id: clients.length + 1, kind, policies, thinkMs, burst });
  }

  #fault(kind: Fault['kind'], forMs: number, server?: number, atMs?: number): void {
    const { servers, faults } = this.#scenario;
    faults.push({
      atMs: atMs ?? this.#random.between(FAULTS_FROM_MS, FAULTS_UNTIL_MS - forMs),
      kind,
      forMs,
      server: server ?? this.#random.between(0, servers.length - 1),
      client: 0,
    });
  }

  // At least one of them, and each other one perhaps.
  #some(change: (spec: ServerSpec) => void): void {
    const { servers } = this.#scenario;
    const first = this.#random.between(0, servers.length - 1);
    for (const [at, spec] of servers.entries()) {
      if (at === first || this.#random.between(0, 1) === 0) change(spec);
    }
  }

  #old(change: (spec: ServerSpec) => void): void {
    this.#some((spec) => {
      spec.keepsAlive = false;
      // Only kept connections can be slow in this way, or be used again.
      spec.isSluggish = false;
      spec.resetsReused = false;
      change(spec);
    });
  }

  // So many servers that it shows when one request meets them all.
  #crowd(): void {
    const { servers } = this.#scenario;
    const policy = this.#asked[0] as string;
    const there = servers.filter((spec) => spec.policy === policy).length;
    for (let at = there; at < SERVERS_TO_KILL; at += 1) servers.push(drawServer(this.#random, policy, at));
  }

  // One policy's only server fails everything under load, while another's has one that fails beside a healthy one.
  #sickNeighbour(): void {
    const { servers } = this.#scenario;
    const random = this.#random;
    const lone = drawServer(random, '8', 0);
    const pair = [drawServer(random, '9', 0), drawServer(random, '9', 1)];
    servers.push(lone, ...pair);
    const at = servers.indexOf(lone);
    this.#fault('reset-requests', 5500, at, FAULTS_FROM_MS);
    this.#fault('reset-requests', 1500, at + 1, FAULTS_FROM_MS + 3500);
    this.#client('pipeline', 60, 6, ['8']);
    this.#client('pipeline', 60, 6, ['8']);
    this.#client('sequential', 100, 1, ['9']);
  }
}
