// pure · a seed and a length → what is done to servers and connections, and when; each policy keeps a healthy server.
import { Random } from '../kit/random.ts';

export const POLICIES = ['1', '2', '3'] as const;
export const SERVERS_PER_POLICY = 2;

/** How long each takes, in ms: until the server runs again, the guest leaves, or the connections are closed. */
const LASTS_MS: Readonly<Record<ServerKind | GuestKind | CrowdKind, readonly [min: number, max: number]>> = {
  // done to one of the servers that are there all along
  kill: [50, 2_000],
  freeze: [300, 3_000],
  restart: [0, 1_000],
  // a server that comes and goes; without a session, the proxy has to find out that it is gone
  guest: [2_000, 8_000],
  sessionless: [2_000, 8_000],
  // many connections at once: one request each, a reset, silence, half a packet, bytes that are no packet
  visits: [100, 300],
  resets: [100, 300],
  idle: [500, 5_000],
  partial: [500, 5_000],
  garbage: [100, 300],
};

type ServerKind = 'kill' | 'freeze' | 'restart';
type GuestKind = 'guest' | 'sessionless';
export type CrowdKind = 'visits' | 'resets' | 'idle' | 'partial' | 'garbage';

/** In the order in which the report shows them. */
export const ACTION_KINDS = Object.keys(LASTS_MS) as (keyof typeof LASTS_MS)[];

/** `atMs` counts from the beginning of the churn; `id` is that of the server or the guest. */
export type Action = { atMs: number; lastsMs: number } & (
  | { kind: ServerKind | GuestKind; policy: string; id: string }
  | { kind: CrowdKind; size: number }
);

/** For so long after an action on a server its policy is left alone: it starts, registers, and passes its probes. */
export const SETTLE_MS = 4_000;
const GAP_MS = [700, 1_300] as const;
const CROWD_SIZE = [5, 40] as const;

export type Server = { id: string; policy: string };

/** The servers that are there all along. */
export const SERVERS: readonly Server[] = POLICIES.flatMap((policy, at) =>
  Array.from({ length: SERVERS_PER_POLICY }, (_, n) => ({
    policy,
    id: String(at * SERVERS_PER_POLICY + n + 1),
  })),
);

function isOnServer(kind: Action['kind']): kind is ServerKind {
  return kind === 'kill' || kind === 'freeze' || kind === 'restart';
}

/** About one action a second for `durationMs`; the same seed and length mean the same plan. */
export function makePlan(seed: number, durationMs: number): Action[] {
  const random = new Random(seed);
  const actions: Action[] = [];
  const freeAtMs = new Map<string, number>();
  for (let atMs = 0; atMs < durationMs; atMs += random.between(...GAP_MS)) {
    const free = SERVERS.filter(({ policy }) => (freeAtMs.get(policy) ?? 0) <= atMs);
    const kind = random.pick(ACTION_KINDS.filter((each) => free.length > 0 || !isOnServer(each)));
    const when = { atMs, lastsMs: random.between(...LASTS_MS[kind]) };
    if (isOnServer(kind)) {
      const server = random.pick(free);
      freeAtMs.set(server.policy, atMs + when.lastsMs + SETTLE_MS);
      actions.push({ ...when, kind, ...server });
    } else if (kind === 'guest' || kind === 'sessionless') {
      actions.push({ ...when, kind, policy: random.pick(POLICIES), id: `${kind}-${actions.length}` });
    } else actions.push({ ...when, kind, size: random.between(...CROWD_SIZE) });
  }
  return actions;
}

/** `kill server 3`, `guest-7 of policy 2`, `garbage × 12`. */
export function describeAction(action: Action): string {
  if ('size' in action) return `${action.kind} × ${action.size}`;
  return isOnServer(action.kind)
    ? `${action.kind} server ${action.id}`
    : `${action.id} of policy ${action.policy}`;
}
