// pure · what is known of each kind of fault, for everything that plans, injects, judges or draws it.

export type FaultFacts = Readonly<{
  /** For people: `SIGKILL`. */
  title: string;
  /** What it is like in real life: `crash`. */
  like: string;
  /** Its targets: two servers of different policies, one service, or a proxy, or a node of a swarm; without it, any number of servers. */
  takes?: 'two servers' | 'service' | 'proxy' | 'node';
  /**
   * The state of a target while it lasts: its process has ended (`down`), it runs and can't be reached (`unreachable`), it
   * answers late, wrongly or not to everything (`gray`), or nothing is wrong with it (`healthy`).
   */
  leaves: 'down' | 'unreachable' | 'gray' | 'healthy';
  /** The limits on detection and readmission that hold wherever it occurs, as after a death or after a hang. */
  limits?: 'death' | 'hang';
  /** It hits its targets again and again while it lasts; its proof is complete only at its end. */
  isRepeated?: true;
  /** It is over when its injection has returned. */
  endsByItself?: true;
  /** Docker's restart policy starts the target again, without a call. */
  isRestartedByDocker?: true;
  /** The servers' control port has to be open. */
  needsControl?: true;
}>;

/** A server that stays and is of no use misbehaves on request of its control port. */
const GRAY = { leaves: 'gray', needsControl: true } as const;

const FACTS = {
  kill: { title: 'SIGKILL', like: 'crash', leaves: 'down', limits: 'death' },
  stop: { title: 'SIGTERM, SIGKILL after 10 s', like: 'deploy', leaves: 'down' },
  restart: {
    title: 'restart, SIGKILL at once',
    like: 'crash and quick come-back',
    leaves: 'down',
    endsByItself: true,
  },
  pause: {
    title: 'frozen',
    like: 'hang, long garbage collection, dead host',
    leaves: 'unreachable',
    limits: 'hang',
  },
  flap: {
    title: 'frozen for a moment, again and again',
    like: 'overloaded host',
    leaves: 'unreachable',
    isRepeated: true,
  },
  partition: { title: 'cut off from the network', like: 'cable', leaves: 'unreachable', limits: 'hang' },
  slow: { title: 'every answer late', like: 'gray failure', ...GRAY },
  burn: { title: 'CPU burnt for each request, under a CPU quota', like: 'gray failure', ...GRAY },
  lie: { title: 'wrong digests', like: 'corruption', ...GRAY },
  mute: {
    title: 'no answer to requests, probes answered',
    like: 'gray failure that probes miss',
    ...GRAY,
  },
  garble: { title: 'garbled answers', like: 'broken deploy', ...GRAY },
  exit: {
    title: 'the process exits',
    like: 'crash loop',
    leaves: 'down',
    isRepeated: true,
    isRestartedByDocker: true,
    needsControl: true,
  },
  swap: {
    title: 'two servers killed and started with each other’s address',
    like: 'address reuse',
    takes: 'two servers',
    leaves: 'down',
  },
  scale: { title: 'another number of replicas', like: 'elasticity', takes: 'service', leaves: 'healthy' },
  'proxy-stop': {
    title: 'SIGTERM of the proxy, SIGKILL after 10 s',
    like: 'deploy of the proxy',
    takes: 'proxy',
    leaves: 'down',
  },
  update: { title: 'every task is replaced', like: 'deploy on Swarm', takes: 'service', leaves: 'healthy' },
  'node-drain': {
    title: 'a node is drained',
    like: 'maintenance of a machine',
    takes: 'node',
    leaves: 'down',
  },
  'node-kill': {
    title: 'SIGKILL of a node and of all that runs on it',
    like: 'loss of a machine',
    takes: 'node',
    leaves: 'down',
  },
  'proxy-kill': { title: 'SIGKILL of the proxy', like: 'crash of the proxy', takes: 'proxy', leaves: 'down' },
} as const satisfies Record<string, FaultFacts>;

export type FaultKind = keyof typeof FACTS;

/** Every kind of fault. */
export const FAULT_FACTS: Readonly<Record<FaultKind, FaultFacts>> = FACTS;
export const FAULT_KINDS = Object.keys(FACTS) as FaultKind[];
