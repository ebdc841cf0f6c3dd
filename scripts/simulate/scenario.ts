// pure · what one seed means: the proxy's settings, the servers, the clients, and what goes wrong when.
// Must never draw from anything but the seed, or the same seed would stop meaning the same world.
import type { ProxyOptions } from '../../services/proxy/options.ts';
import { Random } from '../kit/random.ts';
import type { Cause, Only } from './causes.ts';
import type { ClientKind, ClientSpec } from './client.ts';
import { FAULT_KINDS, type Fault } from './faults.ts';
import { addCauses, drawCauses } from './meanness.ts';
import type { Latency } from './network.ts';
import type { ServerSpec } from './server.ts';

export const FAULTS_FROM_MS = 1500;
export const FAULTS_UNTIL_MS = 9000;

const MAX_FAULTS = 9;
const KINDS: readonly ClientKind[] = [
  'sequential',
  'sequential',
  'pipeline',
  'pipeline',
  'oneshot',
  'half-close',
  'stall',
  'vanish',
  'drip',
  'cut-short',
  'garbage',
  'forger',
  'refused',
  'half',
];

export type Scenario = {
  options: Partial<ProxyOptions>;
  latency: Latency;
  servers: ServerSpec[];
  clients: ClientSpec[];
  faults: Fault[];
  /** What is mean about it beyond the faults. */
  causes: Cause[];
  /** Connections that the proxy's machine can have to one address and port. */
  portsPerDestination: number;
  /** After so much silence connections to servers are forgotten. */
  forgetsAfterMs: number;
  /** At the end everybody goes, and the proxy is watched until it has forgotten them. */
  endsEmpty: boolean;
};

/** @param seed a 32-bit whole number */
export function drawScenario(seed: number, only: Only): Scenario {
  const random = new Random(seed);
  const isOneIn = (count: number): boolean => random.between(1, count) === 1;
  const policies = ['1', '2', '3'].slice(0, random.between(1, 3));
  const servers = policies.flatMap((policy) =>
    Array.from({ length: random.pick([1, 1, 2, 3, 4]) }, (_, at) => drawServer(random, policy, at)),
  );
  // Nobody asks for the last of several policies: there the probes are alone.
  const asked = policies.length > 1 ? policies.slice(0, -1) : policies;
  const clients = Array.from({ length: random.between(2, 6) }, (_, at) => ({
    id: at + 1,
    kind: random.pick(KINDS),
    policies: isOneIn(8) ? [...asked, 'nobody serves this'] : asked,
    thinkMs: random.pick([100, 250, 600]),
    burst: random.pick([2, 4, 8]),
  }));
  const faults = Array.from({ length: random.between(0, MAX_FAULTS) }, () => ({
    atMs: random.between(FAULTS_FROM_MS, FAULTS_UNTIL_MS),
    kind: random.pick(FAULT_KINDS),
    forMs: random.pick([200, 700, 1500, 3000, 5500]),
    server: random.between(0, servers.length - 1),
    client: random.between(0, clients.length - 1),
  })).toSorted((a, b) => a.atMs - b.atMs);
  const scenario: Scenario = {
    options: {
      verifyAnswers: isOneIn(3),
      retry: isOneIn(10) ? random.pick(['never', 'connect'] as const) : 'always',
      pipelineDepth: random.pick([64, 64, 8, 1]),
      upstreamConnections: random.pick([1, 1, 2]),
      maxWaiting: random.pick([1024, 1024, 3]),
      maxServers: random.pick([1024, 1024, 20]),
    },
    latency: {
      min: random.between(1, 20),
      max: random.pick([20, 100, 400]),
      splitPercent: random.pick([0, 10, 50]),
    },
    servers,
    clients,
    faults,
    causes: [],
    portsPerDestination: Number.POSITIVE_INFINITY,
    forgetsAfterMs: Number.POSITIVE_INFINITY,
    endsEmpty: isOneIn(10),
  };
  scenario.causes = drawCauses(random, only);
  addCauses(scenario, asked, random);
  return scenario;
}

/** A server of a policy, the `at`th of it. */
export function drawServer(random: Random, policy: string, at: number): ServerSpec {
  const isOld = random.between(1, 4) === 1;
  const id = Number(policy) * 10 + at + 1;
  return {
    id,
    policy,
    address: `10.0.1.${id}`,
    port: 9000,
    hasSession: !isOld,
    keepsAlive: !isOld || random.between(0, 1) === 0,
    hasIncarnation: !isOld || random.between(0, 1) === 0,
    serviceMs: random.pick([1, 5, 20]),
    backlog: null,
    isSluggish: false,
    resetsReused: false,
    doesArithmetic: false,
    workers: 1,
  };
}
