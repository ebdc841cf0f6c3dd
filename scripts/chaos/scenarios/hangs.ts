// pure · scenarios in which servers are there and cannot be heard: frozen, overloaded, cut off.
import { repeat } from '../draft.ts';
import {
  answeredByAnother,
  detection,
  evictionsAtMost,
  HANG_LIMIT_MS,
  noErrors,
  noEviction,
  readmission,
} from '../judge/criteria.ts';
import type { Scenario } from './scenario.ts';

export const HANGS: readonly Scenario[] = [
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
];
