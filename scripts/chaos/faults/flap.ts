// shell · frozen for a moment again and again, until healed: each pause is a hit.
// Must never end with the target frozen, whatever ends it.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Replica } from '../docker.ts';
import { Background } from './background.ts';
import type { ArmedFault, Fault, FaultContext, Proof } from './fault.ts';
import { allProven, findTargets, paramOf, settleAll } from './targets.ts';

export const flap: Fault = {
  kind: 'flap',
  title: 'frozen for a moment, again and again',
  like: 'overloaded host',
  needsControl: false,
  arm: (context) => new Flap(context),
};

type Flapping = { replica: Replica; pauses: number; seen: number; loop: Background };

class Flap implements ArmedFault {
  readonly #context: FaultContext;
  readonly #targets: Flapping[] = [];

  constructor(context: FaultContext) {
    this.#context = context;
  }

  /** Resolves when each target has been frozen once. */
  async inject(): Promise<void> {
    const { cluster } = this.#context;
    const replicas = await findTargets(this.#context);
    await settleAll(replicas.map((replica) => cluster.waitUntilChecked(replica)));
    await settleAll(replicas.map((replica) => this.#begin(replica)));
  }

  async prove(): Promise<Proof> {
    return allProven(
      this.#targets.map(({ replica, pauses, seen, loop }) => ({
        // The healing may end the last one before it was looked at.
        isProven: seen > 0 && seen >= pauses - 1 && loop.error === null,
        evidence: `${replica.name} was seen frozen in ${seen} of ${pauses} pauses${
          loop.error === null ? '' : `, then: ${(loop.error as Error).message}`
        }`,
      })),
    );
  }

  async heal(): Promise<void> {
    await settleAll(
      this.#targets.map(async ({ replica, loop }) => {
        await loop.end();
        await this.#context.cluster.unpause(replica);
      }),
    );
  }

  async #begin(replica: Replica): Promise<void> {
    const target = { replica, pauses: 0, seen: 0 } as Flapping;
    target.loop = new Background(this.#context.signal, (signal, onPaused) =>
      this.#flap(target, signal, onPaused),
    );
    this.#targets.push(target);
    await target.loop.begun;
  }

  async #flap(target: Flapping, signal: AbortSignal, onPaused: () => void): Promise<void> {
    const everyMs = paramOf(this.#context.fault, 'everyMs', 1_000);
    for (let dueMs = performance.now(); ; dueMs += everyMs) {
      await sleep(Math.max(0, dueMs - performance.now()), undefined, { signal });
      await this.#pauseOnce(target, signal, onPaused);
    }
  }

  async #pauseOnce(target: Flapping, signal: AbortSignal, onPaused: () => void): Promise<void> {
    const { cluster, fault, hit } = this.#context;
    const note = hit(target.replica);
    target.pauses += 1;
    try {
      await cluster.pause(target.replica);
      note.struck();
      const untilMs = performance.now() + paramOf(fault, 'onMs', 200);
      if ((await cluster.inspect(target.replica)).State.Paused) target.seen += 1;
      onPaused();
      await sleep(Math.max(0, untilMs - performance.now()), undefined, { signal });
    } finally {
      note.healing();
      await cluster.unpause(target.replica);
      note.healed();
    }
  }
}
