// pure · what is known of each kind of fault, for everything that plans, injects, judges or draws it.

export type FaultFacts = Readonly<{
  /** For people: `SIGKILL`. */
  title: string;
  /** What it is like in real life: `crash`. */
  like: string;
  /** What it takes: any number of servers, two of different policies, one service, or the proxy. */
  targets: 'servers' | 'two servers' | 'service' | 'proxy';
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

const FACTS = {
  kill: { title: 'SIGKILL', like: 'crash', targets: 'servers', leaves: 'down', limits: 'death' },
  stop: { title: 'SIGTERM, SIGKILL after 10 s', like: 'deploy', targets: 'servers', leaves: 'down' },
  restart: {
    title: 'restart, SIGKILL at once',
    like: 'crash and quick come-back',
    targets: 'servers',
    leaves: 'down',
    endsByItself: true,
  },
  pause: {
    title: 'frozen',
    like: 'hang, long garbage collection, dead host',
    targets: 'servers',
    leaves: 'unreachable',
    limits: 'hang',
  },
  flap: {
    title: 'frozen for a moment, again and again',
    like: 'overloaded host',
    targets: 'servers',
    leaves: 'unreachable',
    isRepeated: true,
  },
  partition: {
    title: 'cut off from the network',
    like: 'cable',
    targets: 'servers',
    leaves: 'unreachable',
    limits: 'hang',
  },
  slow: {
    title: 'every answer late',
    like: 'gray failure',
    targets: 'servers',
    leaves: 'gray',
    needsControl: true,
  },
  burn: {
    title: 'CPU burnt for each request, under a CPU quota',
    like: 'gray failure',
    targets: 'servers',
    leaves: 'gray',
    needsControl: true,
  },
  lie: { title: 'wrong digests', like: 'corruption', targets: 'servers', leaves: 'gray', needsControl: true },
  mute: {
    title: 'no answer to requests, probes answered',
    like: 'gray failure that probes miss',
    targets: 'servers',
    leaves: 'gray',
    needsControl: true,
  },
  garble: {
    title: 'garbled answers',
    like: 'broken deploy',
    targets: 'servers',
    leaves: 'gray',
    needsControl: true,
  },
  exit: {
    title: 'the process exits',
    like: 'crash loop',
    targets: 'servers',
    leaves: 'down',
    isRepeated: true,
    isRestartedByDocker: true,
    needsControl: true,
  },
  swap: {
    title: 'two servers killed and started with each other’s address',
    like: 'address reuse',
    targets: 'two servers',
    leaves: 'down',
  },
  scale: {
    title: 'another number of replicas',
    like: 'elasticity',
    targets: 'service',
    leaves: 'healthy',
  },
  'proxy-stop': {
    title: 'SIGTERM of the proxy, SIGKILL after 10 s',
    like: 'deploy of the proxy',
    targets: 'proxy',
    leaves: 'down',
  },
  'proxy-kill': {
    title: 'SIGKILL of the proxy',
    like: 'crash of the proxy',
    targets: 'proxy',
    leaves: 'down',
  },
} as const satisfies Record<string, FaultFacts>;

export type FaultKind = keyof typeof FACTS;

/** Every kind of fault. */
export const FAULT_FACTS: Readonly<Record<FaultKind, FaultFacts>> = FACTS;
export const FAULT_KINDS = Object.keys(FACTS) as FaultKind[];
