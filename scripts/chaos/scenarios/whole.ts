// pure · scenarios about the whole: nothing at all, the proxy itself, the tour, and the soak.
import { FAULT_FACTS, FAULT_KINDS } from '../faults/facts.ts';
import { detection } from '../judge/detection.ts';
import { noEviction } from '../judge/evictions.ts';
import type { Criterion } from '../judge/judge.ts';
import { HANG_LIMIT_MS } from '../judge/limits.ts';
import { proxyKillLostInFlight, proxyStopNothingInFlightLost, proxyWhole } from '../judge/proxy.ts';
import { readmission } from '../judge/recovery.ts';
import { steadyControl } from '../judge/steady.ts';
import type { FaultKind, Plan } from '../plan.ts';
import { CRASH_LIMITS } from './crashes.ts';
import { type Draft, repeat, type Scenario } from './scenario.ts';

/** Clients that try again for so long outlast a restart of the proxy. */
const RETRY_FOR_MS = 8_000;

export const WHOLE: readonly Scenario[] = [
  {
    name: 'control',
    title: 'a minute without any fault',
    phases: { controlMs: 60_000, faultsMs: 0, quietMs: 0 },
    draft: () => {},
    criteria: () => [noEviction, steadyControl],
  },
  {
    name: 'proxy-stop',
    title: 'SIGTERM of the proxy, and a start: its own deploy',
    phases: { faultsMs: 10_000 },
    retryForMs: RETRY_FOR_MS,
    draft: onProxy('proxy-stop', 3_000),
    criteria: () => [proxyStopNothingInFlightLost, proxyWhole],
  },
  {
    name: 'proxy-kill',
    title: 'SIGKILL of the proxy, and a start: its own crash',
    phases: { faultsMs: 10_000 },
    retryForMs: RETRY_FOR_MS,
    draft: onProxy('proxy-kill', 2_000),
    criteria: () => [proxyKillLostInFlight, proxyWhole],
  },
  {
    name: 'tour',
    title: 'kill, restart, pause, partition and a restart of the proxy, in a random order',
    phases: { warmUpMs: 3_000, controlMs: 10_000, faultsMs: 90_000, quietMs: 4_000, afterMs: 3_000 },
    retryForMs: RETRY_FOR_MS,
    draft: tour,
    criteria: (plan) => [
      ...foundInTime(plan),
      ...(plan.faults.some(({ kind }) => kind === 'proxy-stop')
        ? [proxyStopNothingInFlightLost, proxyWhole]
        : []),
    ],
  },
  {
    name: 'soak',
    title:
      'random faults (for three minutes within "all"), with up to all servers but one of each policy faulty at once',
    phases: { faultsMs: 600_000, quietMs: 10_000, afterMs: 4_000 },
    settings: { PROXY_VERIFY_ANSWERS: '1' },
    minServers: 3,
    draft: soak,
    criteria: foundInTime,
  },
];

function onProxy(kind: FaultKind, forMs: number): Scenario['draft'] {
  return (draft) => {
    draft.add({ kind, targets: 'proxy-1', atMs: draft.random.between(0, 1_000), forMs });
  };
}

// Only of what the plan has: that a fault which was not planned was not noticed shows nothing.
function foundInTime({ faults }: Plan): Criterion[] {
  const kindsOf = (limits: 'death' | 'hang'): FaultKind[] =>
    FAULT_KINDS.filter(
      (kind) => FAULT_FACTS[kind].limits === limits && faults.some((fault) => fault.kind === kind),
    );
  const [deaths, hangs] = [kindsOf('death'), kindsOf('hang')];
  return [
    ...(deaths.length > 0 ? [detection(CRASH_LIMITS), readmission({ kinds: deaths })] : []),
    ...(hangs.length > 0
      ? [detection({ kinds: hangs, maxMs: HANG_LIMIT_MS, mayMiss: true }), readmission({ kinds: hangs })]
      : []),
  ];
}

const TOUR_SLOT_MS = 9_000;
const TOUR_STOPS: readonly { kind: FaultKind; forMs: number }[] = [
  { kind: 'kill', forMs: 3_000 },
  { kind: 'kill', forMs: 2_000 },
  { kind: 'kill', forMs: 1_000 },
  { kind: 'restart', forMs: 0 },
  { kind: 'restart', forMs: 0 },
  { kind: 'pause', forMs: 4_000 },
  { kind: 'pause', forMs: 4_000 },
  { kind: 'partition', forMs: 4_000 },
  { kind: 'partition', forMs: 4_000 },
  { kind: 'proxy-stop', forMs: 1_000 },
];

// Every stop once, then again from the start of another order, as often as the time allows.
function tour(draft: Draft): void {
  let order: (typeof TOUR_STOPS)[number][] = [];
  repeat(draft.lengthMs, TOUR_SLOT_MS, (startMs) => {
    if (order.length === 0) order = draft.random.shuffle(TOUR_STOPS);
    const { kind, forMs } = order.pop() as (typeof TOUR_STOPS)[number];
    const targets = kind === 'proxy-stop' ? 'proxy-1' : draft.anyServer();
    draft.add({ kind, targets, atMs: startMs + draft.random.between(0, 1_000), forMs });
  });
}

type SoakFault = {
  kind: FaultKind;
  forMs: [number, number];
  params?: Record<string, number>;
  isRare?: boolean;
};
const SOAK_FAULTS: readonly SoakFault[] = [
  { kind: 'kill', forMs: [500, 5_000] },
  { kind: 'stop', forMs: [500, 5_000] },
  { kind: 'restart', forMs: [0, 0] },
  { kind: 'pause', forMs: [200, 6_000] },
  { kind: 'flap', forMs: [3_000, 8_000], params: { onMs: 200, everyMs: 1_000 } },
  { kind: 'partition', forMs: [500, 6_000] },
  { kind: 'slow', forMs: [2_000, 6_000], params: { delayMs: 200 } },
  { kind: 'garble', forMs: [1_000, 4_000], params: { probability: 1 } },
  { kind: 'exit', forMs: [2_000, 2_000], params: { times: 1 } },
  // Each of these costs a server a penalty that doubles: at most one for each server, or it would be out at the end.
  { kind: 'mute', forMs: [1_000, 3_000], isRare: true },
  { kind: 'lie', forMs: [2_000, 5_000], params: { probability: 0.05 }, isRare: true },
];
const SOAK_PAUSE_MS: [number, number] = [5_000, 8_000];
const SOAK_LAST_MS = 10_000;

function soak(draft: Draft): void {
  for (const policy of draft.hitPolicies) soakPolicy(draft, policy);
}

// One wave after the other; in a wave, up to all servers but one have a fault, each of its own kind.
function soakPolicy(draft: Draft, policy: string): void {
  const { random } = draft;
  const hadRare = new Set<string>();
  let atMs = random.between(0, 3_000);
  while (atMs < draft.lengthMs - SOAK_LAST_MS) {
    const servers = random.shuffle(draft.serversOf(policy));
    const victims = servers.slice(0, random.between(1, Math.max(1, servers.length - 1)));
    let waveMs = 0;
    for (const server of victims) {
      const choices = SOAK_FAULTS.filter(({ isRare }) => isRare !== true || !hadRare.has(server));
      const { kind, forMs, params, isRare } = random.pick(choices);
      if (isRare === true) hadRare.add(server);
      const lastsMs = random.between(...forMs);
      const delayMs = random.between(0, 1_000);
      draft.add({ kind, targets: server, atMs: atMs + delayMs, forMs: lastsMs, ...(params && { params }) });
      waveMs = Math.max(waveMs, delayMs + lastsMs);
    }
    atMs += waveMs + random.between(...SOAK_PAUSE_MS);
  }
}
