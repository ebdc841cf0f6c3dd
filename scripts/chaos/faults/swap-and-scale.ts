// shell · the faults that are about several replicas at once: two that swap their addresses, a service of another size.
import type { Replica } from '../../cluster/docker.ts';
import {
  type Arm,
  type ArmedFault,
  type FaultContext,
  findTargets,
  type HitNote,
  type Proof,
  settleAll,
} from './fault.ts';

/**
 * Two servers of different policies die and come back under each other's address. The engine hands out the lowest free
 * address, so the one with the higher address is started first and gets the lower one.
 */
export const swap: Arm = (context) => new Swap(context);

/** A service gets another number of replicas, and its old number back. No replica is hit: nothing may go wrong. */
export const scale: Arm = (context) => new Scale(context);

type Swapped = { replica: Replica; note: HitNote; isHealed: boolean };

class Swap implements ArmedFault {
  readonly #context: FaultContext;
  readonly #targets: Swapped[] = [];
  #injection: Promise<void> = Promise.resolve();

  constructor(context: FaultContext) {
    this.#context = context;
  }

  async inject(): Promise<void> {
    this.#injection = this.#swap();
    await this.#injection;
  }

  async prove(): Promise<Proof> {
    const { cluster } = this.#context;
    const before = this.#targets.map(({ replica }) => replica.address);
    const found = await Promise.all(this.#targets.map(({ replica }) => cluster.find(replica.name)));
    const after = found.map(({ address }) => address);
    return {
      isProven: before.length === 2 && after[0] === before[1] && after[1] === before[0],
      evidence: found.map(({ name }, index) => `${name} ${before[index]} → ${after[index]}`).join('; '),
    };
  }

  /** Only makes sure that both run: they keep their new addresses. */
  async heal(): Promise<void> {
    await this.#injection.catch(() => {});
    await settleAll(this.#targets.filter(({ isHealed }) => !isHealed).map((target) => this.#start(target)));
  }

  async #swap(): Promise<void> {
    const replicas = await findTargets(this.#context);
    if (replicas.length !== 2 || replicas[0]?.policy === replicas[1]?.policy)
      throw new Error('swap takes two servers of different policies.');
    await settleAll(replicas.map((replica) => this.#kill(replica)));
    for (const target of this.#targets.toSorted((x, y) => toNumber(y.replica) - toNumber(x.replica)))
      await this.#start(target);
  }

  async #kill(replica: Replica): Promise<void> {
    const note = this.#context.hit(replica);
    this.#targets.push({ replica, note, isHealed: false });
    await this.#context.cluster.kill(replica);
    note.struck();
  }

  async #start(target: Swapped): Promise<void> {
    target.note.healing();
    await this.#context.cluster.start(target.replica);
    target.note.healed();
    target.isHealed = true;
  }
}

function toNumber({ address }: Replica): number {
  return (address ?? '').split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

class Scale implements ArmedFault {
  readonly #context: FaultContext;
  readonly #service: string;
  readonly #wanted: number;
  #before: number | null = null;

  constructor(context: FaultContext) {
    const { targets, params } = context.fault;
    this.#context = context;
    // A plan with other targets or without the number is refused before it is run.
    this.#service = targets[0] as string;
    this.#wanted = params.replicas as number;
  }

  async inject(): Promise<void> {
    const { cluster } = this.#context;
    this.#before = (await cluster.replicas(this.#service)).length;
    await cluster.scale(this.#service, this.#wanted);
  }

  async prove(): Promise<Proof> {
    const replicas = await this.#context.cluster.replicas(this.#service);
    const running = replicas.filter(({ state }) => state === 'running').length;
    const isOther = this.#before !== this.#wanted;
    return {
      isProven: isOther && replicas.length === this.#wanted && running === this.#wanted,
      evidence: `${this.#service} has ${running} running replicas, ${this.#before} before`,
    };
  }

  async heal(): Promise<void> {
    const { cluster } = this.#context;
    if (this.#before === null) return;
    if ((await cluster.replicas(this.#service)).length !== this.#before)
      await cluster.scale(this.#service, this.#before);
  }
}
