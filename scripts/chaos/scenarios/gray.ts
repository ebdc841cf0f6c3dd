// pure · scenarios of servers that stay and are of no use: frozen, cut off, slow, wrong, or mute.
import {
  answeredByAnother,
  detection,
  evictionsAtMost,
  HANG_LIMIT_MS,
  latencyOfOthers,
  noErrors,
  noEviction,
  outByTraffic,
  readmission,
} from '../judge/criteria.ts';
import { repeat, type Scenario, WITH_FAULTS } from './scenario.ts';

/** At 80 requests a second, one in twenty is a lie: two of them come within some five seconds. */
const LIAR_OUT_MS = 5_000;

export const GRAY: readonly Scenario[] = [
  {
    name: 'pause',
    title: 'one server of each policy is frozen for 4 s',
    passes: 'evicted within 2.75 s; what was in flight is answered by another; back within 2.75 s',
    phases: { faultsMs: 24_000 },
    draft: (draft) => {
      repeat(draft.lengthMs, 8_000, (startMs) => {
        for (const policy of draft.hitPolicies) {
          const atMs = startMs + draft.random.between(0, 500);
          draft.add({ kind: 'pause', targets: draft.anyServer(policy), atMs, forMs: 4_000 });
        }
      });
    },
    criteria: () => [
      noErrors(),
      detection({ kinds: ['pause'], maxMs: HANG_LIMIT_MS }),
      answeredByAnother({ kinds: ['pause'] }),
      readmission({ kinds: ['pause'] }),
    ],
  },
  {
    name: 'pause-short',
    title: 'servers are frozen for 300 ms, less than the probe timeout',
    passes: 'no eviction, no error',
    phases: { faultsMs: 15_000 },
    draft: (draft) => {
      repeat(draft.lengthMs, 1_500, (startMs) => {
        const atMs = startMs + draft.random.between(0, 500);
        draft.add({ kind: 'pause', targets: draft.anyServer(), atMs, forMs: 300 });
      });
    },
    criteria: () => [noErrors(), noEviction()],
  },
  {
    name: 'flap',
    title: 'a server is frozen for 200 ms in every second, for 30 s',
    passes: 'at most one eviction and one readmission in 10 s; no error',
    phases: { faultsMs: 31_000 },
    draft: (draft) => {
      const params = { onMs: 200, everyMs: 1_000 };
      draft.add({ kind: 'flap', targets: draft.anyServer(), atMs: 0, forMs: draft.lengthMs - 1_000, params });
    },
    criteria: () => [noErrors(), evictionsAtMost()],
  },
  {
    name: 'partition',
    title: 'one server of each policy is cut off from the network, in turn',
    passes: 'evicted within 2.75 s; what was in flight is answered by another; back within 2.75 s',
    phases: { faultsMs: 24_000 },
    draft: (draft) => {
      repeat(draft.lengthMs, 8_000, (startMs, index) => {
        const policy = draft.hitPolicies[index % draft.hitPolicies.length];
        const atMs = startMs + draft.random.between(0, 500);
        draft.add({ kind: 'partition', targets: draft.anyServer(policy), atMs, forMs: 4_000 });
      });
    },
    criteria: () => [
      noErrors(),
      detection({ kinds: ['partition'], maxMs: HANG_LIMIT_MS }),
      answeredByAnother({ kinds: ['partition'] }),
      readmission({ kinds: ['partition'] }),
    ],
  },
  {
    name: 'swizzle',
    title: 'some servers of each policy are cut off one by one, and come back in another order',
    passes: 'no error; all back within 2.75 s of the last heal',
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
    criteria: () => [
      noErrors(),
      detection({ kinds: ['partition'], maxMs: HANG_LIMIT_MS }),
      readmission({ kinds: ['partition'] }),
    ],
  },
  {
    name: 'slow',
    title: 'one server answers 200 ms late',
    passes: 'no error; p99 of all others at most 1.5 times that of the control phase, or 10 ms above it',
    phases: { faultsMs: 12_000 },
    settings: WITH_FAULTS,
    draft: (draft) => {
      draft.add({
        kind: 'slow',
        targets: draft.anyServer(),
        atMs: 0,
        forMs: draft.lengthMs - 1_000,
        params: { delayMs: 200 },
      });
    },
    criteria: () => [noErrors(), latencyOfOthers()],
  },
  {
    name: 'throttle',
    title: 'one server has 5 % of a processor and burns 5 ms of it for each request',
    passes: 'no error',
    phases: { faultsMs: 12_000, quietMs: 8_000 },
    settings: WITH_FAULTS,
    draft: (draft) => {
      const params = { burnMs: 5, cpuPercent: 5 };
      draft.add({ kind: 'burn', targets: draft.anyServer(), atMs: 0, forMs: 8_000, params });
    },
    criteria: () => [noErrors()],
  },
  {
    name: 'lie',
    title: 'one server gives a wrong digest in 5 % of its answers; the proxy verifies them',
    passes: 'taken out of the rotation; no wrong answer reaches a client',
    phases: { faultsMs: 12_000, quietMs: 10_000 },
    settings: { ...WITH_FAULTS, PROXY_VERIFY_ANSWERS: '1' },
    draft: (draft) => {
      const params = { probability: 0.05 };
      draft.add({ kind: 'lie', targets: draft.anyServer(), atMs: 0, forMs: 8_000, params });
    },
    criteria: () => [noErrors(), detection({ kinds: ['lie'], maxMs: LIAR_OUT_MS })],
  },
  {
    name: 'mute',
    title: 'one server answers probes and no real request',
    passes: 'out of the rotation within five further requests once the first has failed; no error',
    phases: { faultsMs: 8_000, quietMs: 10_000 },
    settings: WITH_FAULTS,
    draft: (draft) => {
      draft.add({ kind: 'mute', targets: draft.anyServer(), atMs: 0, forMs: 5_000 });
    },
    criteria: () => [noErrors(), outByTraffic()],
  },
  {
    name: 'garble',
    title: 'one server answers with truncated packets or rubbish, and hangs up',
    passes: 'answered by another server; evicted',
    phases: { faultsMs: 10_000, quietMs: 6_000 },
    settings: WITH_FAULTS,
    draft: (draft) => {
      const params = { probability: 1 };
      draft.add({ kind: 'garble', targets: draft.anyServer(), atMs: 0, forMs: 5_000, params });
    },
    criteria: () => [
      noErrors(),
      answeredByAnother({ kinds: ['garble'] }),
      detection({ kinds: ['garble'], maxMs: HANG_LIMIT_MS }),
    ],
  },
];
