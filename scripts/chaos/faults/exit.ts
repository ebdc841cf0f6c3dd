// shell · the process ends by itself and the restart policy brings it back, once or again and again: each crash is a hit.
// Must never kill through the engine: that cancels the restart policy.
import { setTimeout as sleep } from 'node:timers/promises';
import { exit as askToExit, readFaults } from '../control.ts';
import { isUp, type Replica } from '../docker.ts';
import { Background } from './background.ts';
import type { ArmedFault, Fault, FaultContext, HitNote, Proof } from './fault.ts';
import { allProven, findTargets, paramOf, settleAll } from './targets.ts';

export const exit: Fault = {
  kind: 'exit',
  title: 'the process exits',
  like: 'crash loop',
  needsControl: true,
  arm: (context) => new Exit(context),
};

type Crashing = {
  replica: Replica;
  crashes: number;
  restartsBefore: number;
  /** The hit that isn't over yet. */
  open: HitNote | null;
  loop: Background;
};

const EXIT_CODE = 1;
const LISTENS_WITHIN_MS = 10_000;
// The engine waits 0.1 s before the first restart and twice as long before each further one, up to a minute.
const BACK_WITHIN_MS = 65_000;
const HEAL_WITHIN_MS = 5_000;
const PROVE_WITHIN_MS = 5_000;
const POLL_MS = 20;

class Exit implements ArmedFault {
  readonly #context: FaultContext;
  readonly #targets: Crashing[] = [];

  constructor(context: FaultContext) {
    this.#context = context;
  }

  /** Resolves when each target has been told for the first time. */
  async inject(): Promise<void> {
    const replicas = await findTargets(this.#context);
    await settleAll(replicas.map((replica) => this.#begin(replica)));
  }

  async prove(): Promise<Proof> {
    return allProven(await Promise.all(this.#targets.map((target) => this.#proveOne(target))));
  }

  /** Ends the loop; what the restart policy doesn't bring back within 5 s is started. */
  async heal(): Promise<void> {
    await settleAll(
      this.#targets.map(async (target) => {
        await target.loop.end();
        await this.#bringBack(target.replica, () => target.open?.healing());
        target.open?.healed();
        target.open = null;
      }),
    );
  }

  async #begin(replica: Replica): Promise<void> {
    const { RestartCount } = await this.#context.cluster.inspect(replica);
    const target = { replica, crashes: 0, restartsBefore: RestartCount, open: null } as unknown as Crashing;
    target.loop = new Background(this.#context.signal, (signal, onTold) =>
      this.#crash(target, signal, onTold),
    );
    this.#targets.push(target);
    await target.loop.begun;
  }

  async #crash(target: Crashing, signal: AbortSignal, onTold: () => void): Promise<void> {
    const { cluster, fault, hit } = this.#context;
    for (let left = paramOf(fault, 'times', 1); left > 0; left -= 1) {
      const replica = await this.#listening(target.replica, signal);
      const since = await cluster.startedAt(replica);
      target.open = hit(replica);
      target.crashes += 1;
      await askToExit(replica, EXIT_CODE);
      target.open.struck();
      onTold();
      await cluster.waitUntilRunning(replica, { since, withinMs: BACK_WITHIN_MS, signal });
      target.open.healed();
      target.open = null;
    }
  }

  // A server that has just been started doesn't listen yet; asking it to exit in vain would be a hit that was none.
  async #listening(replica: Replica, signal: AbortSignal): Promise<Replica> {
    const deadlineMs = performance.now() + LISTENS_WITHIN_MS;
    for (;;) {
      const now = await this.#context.cluster.find(replica.name);
      try {
        await readFaults(now);
        return now;
      } catch (error) {
        if (performance.now() > deadlineMs) throw error;
      }
      await sleep(POLL_MS, undefined, { signal });
    }
  }

  async #proveOne({ replica, restartsBefore, loop }: Crashing): Promise<Proof> {
    const { cluster, signal } = this.#context;
    const wait = { withinMs: PROVE_WITHIN_MS, signal };
    const hasRestarted = (info: { RestartCount: number }): boolean => info.RestartCount > restartsBefore;
    const isProven = await cluster.waitUntil(replica, 'was not restarted', hasRestarted, wait).then(
      () => loop.error === null,
      () => false,
    );
    const { RestartCount } = await cluster.inspect(replica);
    const trouble = loop.error === null ? '' : `, then: ${(loop.error as Error).message}`;
    return {
      isProven,
      evidence: `${replica.name} restarted by itself ${RestartCount - restartsBefore} times${trouble}`,
    };
  }

  async #bringBack(replica: Replica, onStart: () => void): Promise<void> {
    const { cluster } = this.#context;
    const wait = { withinMs: HEAL_WITHIN_MS };
    const isBack = await cluster.waitUntilRunning(replica, wait).then(
      () => true,
      () => false,
    );
    if (isBack) return;
    onStart();
    // What waits for its restart counts as running for `start`.
    if (!isUp(await cluster.inspect(replica))) await cluster.stop(replica, 0);
    await cluster.start(replica);
  }
}
