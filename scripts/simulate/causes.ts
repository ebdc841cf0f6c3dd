// pure · the causes beyond plain faults that a simulated world can have, each drawn or left out as a whole.

/**
 * - `ports`, `descriptors`: the proxy's machine has none left for a while, and dialling fails at once
 * - `time-wait`: few local ports to one destination, and whoever closes first keeps its port for a minute
 * - `accept-queue`: servers with a short accept queue that serve one connection at a time
 * - `sluggish`: servers that take 700 to 900 ms for everything but probes
 * - `slow-request`: requests that are slow wherever they go
 * - `burst`: a client that sends tens of requests in one write
 * - `doubler`, `misaddress`: answers that are sent twice, or carry another client's id
 * - `poison`: requests that kill the process that reads them; it is started again
 * - `flapper`: a server that resets every second request and passes its probes
 * - `middlebox`: connections to servers are forgotten after some silence
 * - `reset-reused`: servers that reset a connection that is used again
 * - `twin`: a second server with the same id
 * - `workers`: several processes behind one port, each with an id of its own
 * - `arithmetic`: old servers that die of a `srcid` that is no number
 * - `deaf`, `squatter`, `flooder`: clients that do not read, that hold places, that only send what is refused
 * - `sick-neighbour`: the lone server of one policy is broken while others are not
 */
export const CAUSES = [
  'ports',
  'descriptors',
  'time-wait',
  'accept-queue',
  'sluggish',
  'slow-request',
  'burst',
  'doubler',
  'misaddress',
  'poison',
  'flapper',
  'middlebox',
  'reset-reused',
  'twin',
  'workers',
  'arithmetic',
  'deaf',
  'squatter',
  'flooder',
  'sick-neighbour',
] as const;

export type Cause = (typeof CAUSES)[number];

/** Of which causes a world may be made up: of this one alone, of none, or (null) of what its seed draws. */
export type Only = Cause | 'none' | null;

/** Causes whose remedy in the proxy is not there yet: no world has them unless it is asked for by name. */
export const AWAITED: ReadonlySet<Cause> = new Set<Cause>([
  'accept-queue',
  'middlebox',
  'squatter',
  'flooder',
]);

/** Promises that the proxy can't keep yet, whatever the cause: nobody looks at them. */
export const AWAITED_PROMISES: ReadonlySet<string> = new Set([]);
