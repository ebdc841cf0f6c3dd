// shell · the faults that hit their targets again and again until they are healed (flap, exit): each time is a hit.
import { setTimeout as sleep } from 'node:timers/promises';
import type { DockerCluster, Replica } from '../../cluster/docker.ts';
import { exit as askToExit, readFaults } from '../../cluster/server-faults.ts';
import { need } from '../../kit/time.ts';
import {
  type Arm,
  allProven,
  type FaultContext,
  findTargets,
  type HitNote,
  type Proof,
  paramOf,
  settleAll,
} from './fault.ts';

const EXIT_CODE = 1;
const LISTENS_WITHIN_MS = 10_000;
// The engine waits 0.1 s before the first restart and twice as long before each further one, up to a minute.
const BACK_WITHIN_MS = 65_000;
const HEALED_WITHIN_MS = 5_000;
const PROVEN_WITHIN_MS = 5_000;
const POLL_MS = 20;

/** What is particular to a repeated fault, for one target. */
type RepeatedVerbs<State> = {
  /** Looks at a target before any is hit. */
  begin(cluster: DockerCluster, replica: Replica): Promise<State>;
  /** Hits the target again and again; calls `onHit` after each. Ends soon after the context's signal fires, cleaned up. */
  repeat(context: FaultContext, replica: Replica, state: State, onHit: () => void): Promise<void>;
  prove(context: FaultContext, replica: Replica, state: State): Promise<Proof>;
  /** After the last hit: whatever it was doing, it runs well afterwards. */
  mend(context: FaultContext, replica: Replica, state: State): Promise<void>;
};

/** Frozen for a moment, again and again. */
export const flap: Arm = repeated<{ pauses: number; seen: number }>({
  async begin(cluster, replica) {
    await cluster.waitUntilChecked(replica);
    return { pauses: 0, seen: 0 };
  },
  async repeat({ cluster, fault, hit, signal }, replica, state, onHit) {
    for (let dueMs = performance.now(); ; dueMs += paramOf(fault, 'everyMs', 1_000)) {
      await sleep(Math.max(0, dueMs - performance.now()), undefined, { signal });
      const note = hit(replica);
      state.pauses += 1;
      try {
        await cluster.pause(replica);
        note.struck();
        const untilMs = performance.now() + paramOf(fault, 'onMs', 200);
        if ((await cluster.inspect(replica)).State.Paused) state.seen += 1;
        onHit();
        await sleep(Math.max(0, untilMs - performance.now()), undefined, { signal });
      } finally {
        note.healing();
        await cluster.unpause(replica);
        note.healed();
      }
    }
  },
  async prove(_, { name }, { pauses, seen }) {
    // The healing may end the last pause before it was looked at.
    const isProven = seen > 0 && seen >= pauses - 1;
    return { isProven, evidence: `${name} was seen frozen in ${seen} of ${pauses} pauses` };
  },
  mend: ({ cluster }, replica) => cluster.unpause(replica),
});

/**
 * The process ends by itself, `times` times, and the restart policy brings it back. Not killed through the engine: that
 * would cancel the restart policy.
 */
export const exit: Arm = repeated<{ restartsBefore: number; open: HitNote | null }>({
  async begin(cluster, replica) {
    return { restartsBefore: (await cluster.inspect(replica)).RestartCount, open: null };
  },
  async repeat({ cluster, fault, hit, signal }, { name }, state, onHit) {
    for (let left = paramOf(fault, 'times', 1); left > 0; left -= 1) {
      const replica = await whenListening(cluster, name, signal);
      const since = await cluster.startedAt(replica);
      state.open = hit(replica);
      await askToExit(replica, EXIT_CODE);
      state.open.struck();
      onHit();
      await cluster.waitUntilRunning(replica, { since, withinMs: BACK_WITHIN_MS, signal });
      state.open.healed();
      state.open = null;
    }
  },
  async prove({ cluster, signal }, replica, { restartsBefore }) {
    const wait = { withinMs: PROVEN_WITHIN_MS, signal };
    const hasRestarted = (info: { RestartCount: number }): boolean => info.RestartCount > restartsBefore;
    await cluster.waitUntil(replica, 'was not restarted', hasRestarted, wait).catch(() => {});
    const times = (await cluster.inspect(replica)).RestartCount - restartsBefore;
    return { isProven: times > 0, evidence: `${replica.name} restarted by itself ${times} times` };
  },
  async mend({ cluster }, replica, { open }) {
    await cluster.waitUntilRunning(replica, { withinMs: HEALED_WITHIN_MS }).catch(async () => {
      open?.healing();
      await cluster.bringUp(replica);
    });
    open?.healed();
  },
});

// A server that has just been started doesn't listen yet; asking it to exit in vain would be a hit that was none.
async function whenListening(cluster: DockerCluster, name: string, signal: AbortSignal): Promise<Replica> {
  const answers = async (): Promise<boolean> =>
    await readFaults(await cluster.find(name)).then(Boolean, () => false);
  const patience = { withinMs: LISTENS_WITHIN_MS, everyMs: POLL_MS, signal };
  await need(`The control port of ${name} does not answer`, answers, patience);
  return await cluster.find(name);
}

/** The fault that goes on in the background until it is healed or the run ends. */
export function repeated<State>(verbs: RepeatedVerbs<State>): Arm {
  return (given) => {
    const ending = new AbortController();
    const context = { ...given, signal: AbortSignal.any([given.signal, ending.signal]) };
    const targets: { replica: Replica; state: State; error: Error | null; ended: Promise<void> }[] = [];
    // Resolves when it has been hit once. That it throws when it is ended is no error.
    const begin = async (replica: Replica, state: State): Promise<void> => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const target = { replica, state, error: null as Error | null, ended: promise };
      target.ended = verbs.repeat(context, replica, state, resolve).catch((error: Error) => {
        if (!context.signal.aborted) target.error = error;
        reject(error);
      });
      targets.push(target);
      await promise;
    };
    return {
      async inject() {
        const replicas = await findTargets(context);
        const states = await Promise.all(replicas.map((replica) => verbs.begin(context.cluster, replica)));
        await settleAll(replicas.map((replica, index) => begin(replica, states[index] as State)));
      },
      async prove() {
        const proofs = targets.map(async ({ replica, state, error }) => {
          const { isProven, evidence } = await verbs.prove(context, replica, state);
          if (error === null) return { isProven, evidence };
          return { isProven: false, evidence: `${evidence}, then: ${error.message}` };
        });
        return allProven(await Promise.all(proofs));
      },
      async heal() {
        ending.abort();
        const mend = async ({ replica, state, ended }: (typeof targets)[number]): Promise<void> => {
          await ended;
          await verbs.mend(context, replica, state);
        };
        await settleAll(targets.map(mend));
      },
    };
  };
}
