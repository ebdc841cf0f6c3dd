// pure · scenarios of servers that stay and are of no use: frozen, cut off, slow, wrong, or mute.
import { answeredByAnother, detection, outByTraffic } from '../judge/detection.ts';
import { evictionsAtMost, noEviction } from '../judge/evictions.ts';
import type { Criterion } from '../judge/judge.ts';
import { latencyOfOthers } from '../judge/latency.ts';
import { HANG_LIMIT_MS } from '../judge/limits.ts';
import { readmission } from '../judge/recovery.ts';
import type { FaultKind } from '../plan.ts';
import { onAnyServer, onEachPolicyInTurn, repeat, type Scenario } from './scenario.ts';

/** At 80 requests a second, one in twenty is a lie: two of them come within some five seconds. */
const LIAR_OUT_MS = 5_000;

export const GRAY: readonly Scenario[] = [
  {
    name: 'pause',
    title: 'one server of each policy is frozen for 4 s',
    phases: { faultsMs: 24_000 },
    draft: (draft) => {
      repeat(draft.lengthMs, 8_000, (startMs) => {
        for (const policy of draft.hitPolicies) {
          const atMs = startMs + draft.random.between(0, 500);
          draft.add({ kind: 'pause', targets: draft.anyServer(policy), atMs, forMs: 4_000 });
        }
      });
    },
    criteria: () => [outInTime('pause'), answeredByAnother({ kinds: ['pause'] }), back('pause')],
  },
  {
    name: 'pause-short',
    title: 'servers are frozen for 300 ms, less than the probe timeout',
    phases: { faultsMs: 15_000 },
    draft: (draft) => {
      repeat(draft.lengthMs, 1_500, (startMs) => {
        const atMs = startMs + draft.random.between(0, 500);
        draft.add({ kind: 'pause', targets: draft.anyServer(), atMs, forMs: 300 });
      });
    },
    criteria: () => [noEviction],
  },
  {
    name: 'flap',
    title: 'a server is frozen for 200 ms in every second, for 30 s',
    phases: { faultsMs: 31_000 },
    draft: onAnyServer('flap', null, { onMs: 200, everyMs: 1_000 }),
    criteria: () => [evictionsAtMost],
  },
  {
    name: 'partition',
    title: 'one server of each policy is cut off from the network, in turn',
    phases: { faultsMs: 24_000 },
    draft: onEachPolicyInTurn('partition', 4_000),
    criteria: () => [outInTime('partition'), answeredByAnother({ kinds: ['partition'] }), back('partition')],
  },
  {
    name: 'swizzle',
    title: 'some servers of each policy are cut off one by one, and come back in another order',
    phases: { faultsMs: 16_000 },
    minServers: 3,
    draft: (draft) => {
      const { random } = draft;
      const victims = draft.hitPolicies.flatMap((policy) => {
        const servers = random.shuffle(draft.serversOf(policy));
        return servers.slice(0, random.between(1, servers.length - 1));
      });
      const stepMs = 600;
      const healedFromMs = victims.length * stepMs + 3_000;
      const healOrder = random.shuffle(victims);
      random.shuffle(victims).forEach((server, index) => {
        const atMs = index * stepMs;
        const healMs = healedFromMs + healOrder.indexOf(server) * stepMs;
        draft.add({ kind: 'partition', targets: server, atMs, forMs: healMs - atMs });
      });
    },
    criteria: () => [outInTime('partition'), back('partition')],
  },
  {
    name: 'slow',
    title: 'one server answers 200 ms late',
    phases: { faultsMs: 12_000 },
    draft: onAnyServer('slow', null, { delayMs: 200 }),
    criteria: () => [latencyOfOthers],
  },
  {
    name: 'throttle',
    title: 'one server has 5 % of a processor and burns 5 ms of it for each request',
    phases: { faultsMs: 12_000, quietMs: 8_000 },
    draft: onAnyServer('burn', 8_000, { burnMs: 5, cpuPercent: 5 }),
  },
  {
    name: 'lie',
    title: 'one server gives a wrong digest in 5 % of its answers; the proxy verifies them',
    phases: { faultsMs: 12_000, quietMs: 10_000 },
    settings: { PROXY_VERIFY_ANSWERS: '1' },
    draft: onAnyServer('lie', 8_000, { probability: 0.05 }),
    criteria: () => [outInTime('lie', LIAR_OUT_MS)],
  },
  {
    name: 'mute',
    title: 'one server answers probes and no real request',
    phases: { faultsMs: 8_000, quietMs: 10_000 },
    draft: onAnyServer('mute', 5_000),
    criteria: () => [outByTraffic],
  },
  {
    name: 'garble',
    title: 'one server answers with truncated packets or rubbish, and hangs up',
    phases: { faultsMs: 10_000, quietMs: 6_000 },
    draft: onAnyServer('garble', 5_000, { probability: 1 }),
    criteria: () => [answeredByAnother({ kinds: ['garble'] }), outInTime('garble')],
  },
];

function outInTime(kind: FaultKind, maxMs: number = HANG_LIMIT_MS): Criterion {
  return detection({ kinds: [kind], maxMs });
}

function back(kind: FaultKind): Criterion {
  return readmission({ kinds: [kind] });
}
