// pure · scenarios in which servers go away: crash, deploy, restart, address reuse, scaling.
import { detection } from '../judge/detection.ts';
import { evictionsAtMostCrashes } from '../judge/evictions.ts';
import { DEATH_LIMIT_MS, DEATH_P95_LIMIT_MS } from '../judge/limits.ts';
import { firstOkAfter, newServersServe, readmission, swapped } from '../judge/recovery.ts';
import { type Draft, onAnyServer, repeat, type Scenario } from './scenario.ts';

/** A crash is seen by the end of the session; never later than by a probe. */
export const CRASH_LIMITS = { kinds: ['kill'], maxMs: DEATH_LIMIT_MS } as const;
const KILL_EVERY_MS = 3_000;

export const CRASHES: readonly Scenario[] = [
  {
    name: 'kill',
    title: 'SIGKILL of one server after the other',
    phases: { faultsMs: 75_000 },
    draft: killInTurn,
    criteria: () => [
      // Only here are there trials enough for a percentile.
      detection({ ...CRASH_LIMITS, p95Ms: DEATH_P95_LIMIT_MS }),
      readmission({ kinds: ['kill'] }),
    ],
  },
  {
    name: 'kill-all-but-one',
    title: 'SIGKILL of all servers of a policy but one, at once',
    phases: { faultsMs: 15_000 },
    minServers: 3,
    draft: (draft) => {
      repeat(draft.lengthMs, 7_500, (startMs) => {
        const [, ...victims] = draft.random.shuffle(draft.serversOf(draft.random.pick(draft.hitPolicies)));
        const atMs = startMs + draft.random.between(0, 500);
        draft.add({ kind: 'kill', targets: victims, atMs, forMs: 3_000 });
      });
    },
    criteria: () => [detection(CRASH_LIMITS)],
  },
  {
    name: 'kill-all',
    title: 'SIGKILL of every server of a policy at once',
    phases: { faultsMs: 8_000 },
    draft: (draft) => {
      const victims = draft.serversOf(draft.random.pick(draft.hitPolicies));
      draft.add({ kind: 'kill', targets: victims, atMs: draft.random.between(0, 500), forMs: 4_000 });
    },
    mayRefuse: true,
    criteria: () => [firstOkAfter, detection(CRASH_LIMITS)],
  },
  {
    name: 'stop',
    title: 'SIGTERM of one server of each policy, started again later: a deploy',
    phases: { faultsMs: 12_000 },
    draft: (draft) => {
      draft.hitPolicies.forEach((policy, index) => {
        draft.add({ kind: 'stop', targets: draft.anyServer(policy), atMs: index * 3_000, forMs: 2_500 });
      });
    },
    criteria: () => [readmission({ kinds: ['stop'] })],
  },
  {
    name: 'rolling-restart',
    title: 'every server is restarted in turn, with SIGTERM and grace',
    phases: { faultsMs: 30_000 },
    draft: (draft) => restartInTurn(draft, 10),
  },
  {
    name: 'restart',
    title: 'every server is restarted in turn without grace: a crash and a quick come-back',
    phases: { faultsMs: 30_000 },
    draft: (draft) => restartInTurn(draft, 0),
  },
  {
    name: 'swap',
    title: 'two servers of different policies die and come back with each other’s address',
    phases: { faultsMs: 18_000 },
    draft: (draft) => {
      repeat(draft.lengthMs, 9_000, (startMs) => {
        const one = draft.random.pick(draft.hitPolicies);
        const two = draft.otherPolicy(one);
        const targets = [draft.anyServer(one), draft.anyServer(two)];
        draft.add({ kind: 'swap', targets, atMs: startMs + draft.random.between(0, 500), forMs: 4_000 });
      });
    },
    criteria: () => [swapped],
  },
  {
    name: 'crash-loop',
    title: 'a server exits by itself, five times in a row; the restart policy brings it back',
    phases: { faultsMs: 20_000, quietMs: 6_000 },
    draft: onAnyServer('exit', 18_000, { times: 5 }),
    criteria: () => [evictionsAtMostCrashes],
  },
  {
    name: 'scale',
    title: 'a policy gets two more servers under load, and loses them again',
    phases: { faultsMs: 16_000 },
    draft: (draft) => {
      const service = draft.random.pick(draft.hitPolicies.flatMap((policy) => draft.servicesOf(policy)));
      const replicas = draft.serversPerPolicy + 2;
      draft.add({ kind: 'scale', targets: service, atMs: 0, forMs: 7_000, params: { replicas } });
    },
    criteria: () => [newServersServe],
  },
];

// Of each policy in turn, and only when the last one is back: what Docker does to start a container would slow down what
// it does to kill the next one, and a policy must have its server back before it loses another.
function killInTurn(draft: Draft): void {
  const { random } = draft;
  const policies = random.shuffle(draft.hitPolicies);
  repeat(draft.lengthMs, KILL_EVERY_MS, (startMs, index) => {
    const atMs = startMs + random.between(0, 300);
    const policy = policies[index % policies.length];
    draft.add({ kind: 'kill', targets: draft.anyServer(policy), atMs, forMs: random.between(600, 900) });
  });
}

function restartInTurn(draft: Draft, graceS: number): void {
  const servers = draft.random.shuffle(draft.hitPolicies.flatMap((policy) => draft.serversOf(policy)));
  const everyMs = draft.lengthMs / servers.length;
  servers.forEach((server, index) => {
    draft.add({ kind: 'restart', targets: server, atMs: index * everyMs, params: { graceS } });
  });
}
