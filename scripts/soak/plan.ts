// pure · a seed and a length → what is done to servers and connections, and when. The first step of a soak.
// Must never plan a moment at which a policy has no healthy server: then the proxy would be right to refuse.
import { POLICIES } from '../chaos/plan.ts';
import { Random } from '../kit/random.ts';

export const SERVERS_PER_POLICY = 2;

const SERVER_KINDS = ['kill', 'freeze', 'restart'] as const;
const GUEST_KINDS = ['newcomer', 'stranger'] as const;
const CROWD_KINDS = ['visitors', 'resets', 'idlers', 'unfinished', 'garbage'] as const;

/** In the order in which the report shows them. */
export const DEED_KINDS = [...SERVER_KINDS, ...GUEST_KINDS, ...CROWD_KINDS] as const;

type ServerDeedKind = (typeof SERVER_KINDS)[number];
type GuestKind = (typeof GUEST_KINDS)[number];
export type CrowdKind = (typeof CROWD_KINDS)[number];

/** Times in ms after the churn has begun. `lastsMs` is until the server is let go on, the guest leaves, the crowd is gone. */
export type Deed = { atMs: number; lastsMs: number } & (
  | { kind: ServerDeedKind; policy: string; server: number }
  | { kind: GuestKind; policy: string; guest: string }
  | { kind: CrowdKind; size: number }
);

/** So long after a server was let go on nothing is done to its policy: it starts, registers, and passes its probes. */
export const SETTLE_MS = 4_000;

const GAP_MS = { min: 700, max: 1_300 };
const LASTS_MS: Record<Deed['kind'], { min: number; max: number }> = {
  kill: { min: 50, max: 2_000 },
  freeze: { min: 300, max: 3_000 },
  restart: { min: 0, max: 1_000 },
  newcomer: { min: 2_000, max: 8_000 },
  stranger: { min: 2_000, max: 8_000 },
  visitors: { min: 100, max: 300 },
  resets: { min: 100, max: 300 },
  idlers: { min: 500, max: 5_000 },
  unfinished: { min: 500, max: 5_000 },
  garbage: { min: 100, max: 300 },
};
const CROWD_SIZE = { min: 5, max: 40 };

/** Every server that lives all through the soak: its number and its policy. */
export function residents(): { server: number; policy: string }[] {
  return POLICIES.flatMap((policy, at) =>
    Array.from({ length: SERVERS_PER_POLICY }, (_, n) => ({
      server: at * SERVERS_PER_POLICY + n + 1,
      policy,
    })),
  );
}

/** What is done in `durationMs`, about one deed a second; the same seed and length mean the same plan. */
export function makePlan(seed: number, durationMs: number): Deed[] {
  const random = new Random(seed);
  const deeds: Deed[] = [];
  const freeAtMs = new Map<string, number>(POLICIES.map((policy) => [policy, 0]));
  for (let atMs = 0; atMs < durationMs; atMs += random.between(GAP_MS.min, GAP_MS.max)) {
    const deed = drawDeed(random, atMs, deeds.length, (policy) => (freeAtMs.get(policy) ?? 0) <= atMs);
    if ('server' in deed) freeAtMs.set(deed.policy, atMs + deed.lastsMs + SETTLE_MS);
    deeds.push(deed);
  }
  return deeds;
}

function drawDeed(random: Random, atMs: number, index: number, isFree: (policy: string) => boolean): Deed {
  const free = residents().filter(({ policy }) => isFree(policy));
  const kind = random.pick(free.length > 0 ? DEED_KINDS : [...GUEST_KINDS, ...CROWD_KINDS]);
  const when = { atMs, lastsMs: random.between(LASTS_MS[kind].min, LASTS_MS[kind].max) };
  switch (kind) {
    case 'kill':
    case 'freeze':
    case 'restart':
      return { ...when, kind, ...random.pick(free) };
    case 'newcomer':
    case 'stranger':
      return { ...when, kind, policy: random.pick(POLICIES), guest: `${kind}-${index}` };
    case 'visitors':
    case 'resets':
    case 'idlers':
    case 'unfinished':
    case 'garbage':
      return { ...when, kind, size: random.between(CROWD_SIZE.min, CROWD_SIZE.max) };
    default:
      return kind satisfies never;
  }
}

/** `kill server 3`, `newcomer newcomer-7 of policy 2`, `garbage × 12`. */
export function describeDeed(deed: Deed): string {
  if ('server' in deed) return `${deed.kind} server ${deed.server}`;
  if ('guest' in deed) return `${deed.guest} of policy ${deed.policy}`;
  return `${deed.kind} × ${deed.size}`;
}
