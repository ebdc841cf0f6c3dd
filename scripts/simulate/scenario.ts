// pure · what a seed means: the proxy's settings, the servers, the clients, and what goes wrong when.
import type { ProxyOptions } from '../../services/proxy/options.ts';
import { Random } from '../kit/random.ts';
import type { ClientSpec } from './client.ts';
import { type ClientKind, PLAIN_CLIENTS } from './client-behaviours.ts';
import { type Fault, type FaultKind, PLAIN_FAULTS } from './faults.ts';
import type { Latency } from './network.ts';
import type { ServerSpec } from './server.ts';

const FAULTS_FROM_MS = 1500;
export const FAULTS_UNTIL_MS = 9000;

const MAX_FAULTS = 9;
const CAUSE_ONE_IN = 9;
/** So many that it shows when one request meets them all. */
const SERVERS_TO_KILL = 6;
const PLACES = 30;
/** Too few for a port a request, and enough for those that probes and broken connections leave behind. */
const PORTS = 400;
const SERVER_NETWORKS = ['10.0.1.0/24', '10.0.3.0/24'];
/** Two kinds twice as often as the others. */
const DRAWN_CLIENTS = PLAIN_CLIENTS.flatMap((kind) =>
  kind === 'sequential' || kind === 'pipeline' ? [kind, kind] : [kind],
);

export type Scenario = {
  options: Partial<ProxyOptions>;
  latency: Latency;
  servers: ServerSpec[];
  clients: ClientSpec[];
  faults: Fault[];
  causes: Cause[];
  proxies: number;
  /** Connections that the proxy's machine can have to one address and port. */
  portsPerDestination: number;
  /** After so much silence connections to servers are forgotten. */
  forgetsAfterMs: number;
  /** At the end all servers and clients leave, and the proxy has to forget them. */
  endsEmpty: boolean;
};

/** Draws nothing from anywhere but the seed. @param seed a 32-bit whole number */
export function drawScenario(seed: number, only: Only): Scenario {
  const random = new Random(seed);
  const isOneIn = (count: number): boolean => random.between(1, count) === 1;
  const policies = ['1', '2', '3'].slice(0, random.between(1, 3));
  const servers = policies.flatMap((policy) =>
    Array.from({ length: random.pick([1, 1, 2, 3, 4]) }, (_, at) => drawServer(random, policy, at)),
  );
  // No client asks for the last of several policies: there the probes are alone.
  const asked = policies.length > 1 ? policies.slice(0, -1) : policies;
  const clients = Array.from({ length: random.between(2, 6) }, (_, at) => ({
    id: at + 1,
    kind: random.pick(DRAWN_CLIENTS),
    policies: isOneIn(8) ? [...asked, 'nobody serves this'] : asked,
    thinkMs: random.pick([100, 250, 600]),
    burst: random.pick([2, 4, 8]),
  }));
  const faults = Array.from({ length: random.between(0, MAX_FAULTS) }, () => ({
    atMs: random.between(FAULTS_FROM_MS, FAULTS_UNTIL_MS),
    kind: random.pick(PLAIN_FAULTS),
    forMs: random.pick([200, 700, 1500, 3000, 5500]),
    server: random.between(0, servers.length - 1),
    client: random.between(0, clients.length - 1),
    proxy: 0,
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
    proxies: 1,
    portsPerDestination: Number.POSITIVE_INFINITY,
    forgetsAfterMs: Number.POSITIVE_INFINITY,
    endsEmpty: isOneIn(10),
  };
  // Drawn also where the draw does not count: what else a seed means must not depend on `only`.
  const draw = (causes: Cause[]): void => {
    const drawn = causes.filter(() => isOneIn(CAUSE_ONE_IN));
    const chosen = only === null ? drawn : causes.filter((one) => one === only);
    for (const cause of chosen) CAUSE_FACTS[cause].add({ scenario, asked, random });
    scenario.causes.push(...chosen);
  };
  draw(CAUSES.filter((cause) => !isDrawnLast(cause)));
  draw(CAUSES.filter(isDrawnLast));
  return scenario;
}

// The server `at` of a policy.
function drawServer(random: Random, policy: string, at: number): ServerSpec {
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

/** @param asked the policies that clients ask for */
type Draft = { scenario: Scenario; asked: readonly string[]; random: Random };

type Reaches = { limits?: string; traits?: string | string[] };

type CauseFacts = {
  /** Puts the cause into a scenario. */
  add(draft: Draft): void;
  /** What it has to have done, beyond being there: rows of the coverage table. */
  reaches?: Reaches;
  /** What else a seed means does not depend on whether it is drawn. */
  isDrawnLast?: true;
};

// Longer than an attempt may be silent, shorter than a request may take.
const STALL_MS = 900;
const STALLS = 8;
const PROXY_FAULTS = ['kill-proxy', 'restart-proxy', 'cut-from-proxy'] as const;

/** The causes of trouble beyond plain faults. */
const CAUSE_FACTS = {
  /** The proxy's machine has no local ports left for a while, and dialling fails at once. */
  ports: { add: (draft) => addFault(draft, 'no-ports', draft.random.pick([700, 1500, 3000])) },
  /** The same with descriptors. */
  descriptors: { add: (draft) => addFault(draft, 'no-descriptors', draft.random.pick([700, 1500, 3000])) },
  /** Few local ports to one destination; the end that closes first keeps its port for a minute. */
  'time-wait': {
    add: (draft) => {
      draft.scenario.portsPerDestination = PORTS;
      changeToOld(draft, (random) => ({ hasSession: random.between(0, 1) === 0 }));
      addClient(draft, 'oneshot', 30, 1);
    },
  },
  /** Servers with a short accept queue that serve one connection at a time. */
  'accept-queue': {
    reaches: { limits: 'a full accept queue' },
    add: (draft) => {
      changeToOld(draft, (random) => ({ backlog: random.between(1, 10) }));
      addClient(draft, 'burster', 600, 1);
    },
  },
  /** Servers that take 700 to 900 ms for everything but probes. */
  sluggish: { add: (draft) => changeToKept(draft, { isSluggish: true }) },
  /** Requests that are slow wherever they go. */
  'slow-request': {
    add: (draft) => {
      // Where one connection is served at a time, it would look dead to all others.
      withLongQueues(draft.scenario);
      addClient(draft, 'dawdler', 250, 2);
    },
  },
  /** A client that sends tens of requests in one write. */
  burst: { add: (draft) => addClient(draft, 'burster', 600, 1) },
  /** Answers that are sent twice. */
  doubler: {
    reaches: { traits: 'an answer was sent twice' },
    add: (draft) => addBusyFault(draft, 'answer-twice'),
  },
  /** Answers that carry another client's id. */
  misaddress: { add: (draft) => addBusyFault(draft, 'misaddress') },
  /** Requests that kill the process that reads them; it is started again. */
  poison: {
    reaches: { traits: 'a poison has killed' },
    add: (draft) => {
      const { scenario, asked, random } = draft;
      const policy = asked[0] as string;
      const count = scenario.servers.filter((spec) => spec.policy === policy).length;
      for (let at = count; at < SERVERS_TO_KILL; at += 1)
        scenario.servers.push(drawServer(random, policy, at));
      addClient(draft, 'poisoner', 400, 1);
    },
  },
  /** A server that resets every second request and passes its probes. */
  flapper: {
    add: (draft) => {
      addFault(draft, 'reset-every-second', 5500);
      addClient(draft, 'pipeline', 30, 4);
    },
  },
  /** Connections to servers are forgotten after some silence. */
  middlebox: {
    reaches: { traits: 'a middlebox has forgotten a connection' },
    add: (draft) => {
      draft.scenario.forgetsAfterMs = draft.random.pick([2200, 3000]);
      changeToKept(draft, {});
      // Where all that a server does is slow, no silence shows that a connection was forgotten.
      for (const spec of draft.scenario.servers) spec.isSluggish = false;
      for (const client of draft.scenario.clients) client.thinkMs = 3000;
    },
  },
  /** Servers that reset a connection that is used again. */
  'reset-reused': {
    reaches: { traits: 'a reused connection was reset' },
    add: (draft) => changeToKept(draft, { resetsReused: true }),
  },
  /** A second server with the same id. */
  twin: {
    reaches: { traits: 'two servers had one id' },
    add: (draft) => addFault(draft, 'twin', draft.random.pick([700, 3000])),
  },
  /** Several processes behind one port, each with an id of its own. */
  workers: { add: (draft) => change(draft, (random) => ({ workers: random.between(2, 4) })) },
  /** Old servers that die of a `srcid` that is no number. */
  arithmetic: { add: (draft) => change(draft, () => ({ hasSession: false, doesArithmetic: true })) },
  /** Clients that do not read. */
  deaf: { add: (draft) => addClient(draft, 'deaf', 4000, 1) },
  /** Clients that hold connections and send nothing. */
  squatter: {
    reaches: { limits: '--max-connections', traits: 'a server registered while all places were held' },
    add: (draft) => {
      draft.scenario.options.maxConnections = PLACES;
      draft.scenario.options.registerFrom = SERVER_NETWORKS;
      addClient(draft, 'squatter', 100, 1);
    },
  },
  /** Clients that only send what is refused. */
  flooder: {
    reaches: { traits: 'a flood of refusals was cut off' },
    add: (draft) => addClient(draft, 'flooder', 600, 1),
  },
  /** Clients that take all places of a short queue, beside others that ask one thing at a time. */
  greedy: {
    reaches: { traits: 'a request was refused since all places were taken evenly' },
    add: (draft) => {
      const { random, scenario } = draft;
      scenario.options.maxWaiting = random.pick([4, 8, 16]);
      scenario.options.pipelineDepth = 1;
      change(draft, () => ({ serviceMs: 20 }));
      for (let count = random.between(1, 4); count > 0; count -= 1) addClient(draft, 'greedy', 1500, 8);
      for (let count = 0; count < 3; count += 1) addClient(draft, 'sequential', 30, 1);
    },
  },
  /** The proxy stands still between reading what has come and looking for what has not. */
  'stall-in-turn': {
    add: (draft) => {
      for (let times = 0; times < STALLS; times += 1) addFault(draft, 'stall-in-turn', STALL_MS);
      addClient(draft, 'pipeline', 30, 4);
    },
  },
  /** One policy's only server fails everything under load, while another's has one that fails beside a healthy one. */
  'sick-neighbour': {
    add: (draft) => {
      const { random, scenario } = draft;
      const servers = [drawServer(random, '8', 0), drawServer(random, '9', 0), drawServer(random, '9', 1)];
      const at = scenario.servers.push(...servers) - servers.length;
      addFault(draft, 'reset-requests', 5500, at, FAULTS_FROM_MS);
      addFault(draft, 'reset-requests', 1500, at + 1, FAULTS_FROM_MS + 3500);
      addClient(draft, 'pipeline', 60, 6, ['8']);
      addClient(draft, 'pipeline', 60, 6, ['8']);
      addClient(draft, 'sequential', 100, 1, ['9']);
    },
  },
  /** The proxy uses few of a policy's servers; the others stand by. */
  subset: {
    add: ({ scenario, random }) => {
      scenario.options.subset = random.between(1, 2);
    },
  },
  /** Two or three proxies, which die, are restarted, and are cut off from single servers. */
  proxies: {
    reaches: {
      traits: [
        'a proxy was killed',
        'a proxy was restarted',
        'a proxy was cut off from a server',
        'a request was repeated at another proxy',
      ],
    },
    add: (draft) => {
      const { scenario, random } = draft;
      scenario.proxies = random.between(2, 3);
      withLongQueues(scenario);
      scenario.options.lameDuckMs = random.pick([0, 300, 1000]);
      // A server of the old kind does not notice when a proxy has started again.
      for (const spec of scenario.servers) if (!spec.doesArithmetic) spec.hasSession = true;
      for (let times = random.between(1, 3); times > 0; times -= 1)
        addFault(draft, random.pick(PROXY_FAULTS), random.pick([200, 1500, 3000]));
      for (const fault of scenario.faults) fault.proxy = random.between(0, scenario.proxies - 1);
    },
  },
  /** Proxies with a keeper and several workers, of which some crash. */
  'proxy-workers': {
    isDrawnLast: true,
    reaches: {
      traits: ['a worker of a proxy has crashed', 'a request was repeated at another worker'],
    },
    add: (draft) => {
      const { scenario, random } = draft;
      scenario.options.workers = random.between(2, 3);
      withLongQueues(scenario);
      for (let times = random.between(0, 3); times > 0; times -= 1) addFault(draft, 'crash-worker', 0);
      // Something comes to a worker whenever another thread knows more than it does.
      addClient(draft, 'pipeline', 10, 4);
      addClient(draft, 'pipeline', 10, 4);
    },
  },
} satisfies Record<string, CauseFacts>;

export type Cause = keyof typeof CAUSE_FACTS;
export const CAUSES = Object.keys(CAUSE_FACTS) as Cause[];

/** Which causes a world may have: this one alone, none, or (null) what its seed draws. */
export type Only = Cause | 'none' | null;

function isDrawnLast(cause: Cause): boolean {
  return (CAUSE_FACTS[cause] as CauseFacts).isDrawnLast === true;
}

/** What a cause has to have done, by group of the coverage table. */
export function reachesOf(cause: Cause): Reaches {
  return (CAUSE_FACTS[cause] as CauseFacts).reaches ?? {};
}

function addClient(
  { scenario: { clients }, asked }: Draft,
  kind: ClientKind,
  thinkMs: number,
  burst: number,
  policies: string[] = [...asked],
): void {
  clients.push({ id: clients.length + 1, kind, policies, thinkMs, burst });
}

function addFault(
  { scenario, random }: Draft,
  kind: FaultKind,
  forMs: number,
  server: number | null = null,
  atMs = random.between(FAULTS_FROM_MS, FAULTS_UNTIL_MS - forMs),
): void {
  const index = server ?? random.between(0, scenario.servers.length - 1);
  scenario.faults.push({ atMs, kind, forMs, server: index, client: 0, proxy: 0 });
}

// A fault that shows only where connections are kept and many requests are under way.
function addBusyFault(draft: Draft, kind: FaultKind): void {
  changeToKept(draft, {});
  addFault(draft, kind, 3000);
  addClient(draft, 'pipeline', 100, 8);
  addClient(draft, 'pipeline', 100, 8);
}

// Changes at least one of the servers, and each other one perhaps.
function change({ scenario, random }: Draft, draw: (random: Random) => Partial<ServerSpec>): void {
  const first = random.between(0, scenario.servers.length - 1);
  for (const [at, spec] of scenario.servers.entries()) {
    if (at === first || random.between(0, 1) === 0) Object.assign(spec, draw(random));
  }
}

// What others have put into a short queue looks to each of several proxies, or threads, as if the server took nothing.
function withLongQueues({ servers }: Scenario): void {
  for (const spec of servers) spec.backlog = null;
}

// One that keeps connections serves them all at once.
function changeToKept(draft: Draft, facts: Partial<ServerSpec>): void {
  change(draft, () => ({ keepsAlive: true, backlog: null, ...facts }));
}

// Only kept connections can be sluggish, or be used again.
function changeToOld(draft: Draft, draw: (random: Random) => Partial<ServerSpec>): void {
  const old = { keepsAlive: false, isSluggish: false, resetsReused: false };
  change(draft, (random) => ({ ...old, ...draw(random) }));
}
