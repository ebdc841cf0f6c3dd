// shell · two servers of different policies die and come back under each other's address.
// The engine hands out the lowest free address: whoever had the higher one is started first and gets the lower one.
import type { Replica } from '../docker.ts';
import type { ArmedFault, Fault, FaultContext, HitNote, Proof } from './fault.ts';
import { findTargets, settleAll } from './targets.ts';

export const swap: Fault = {
  kind: 'swap',
  title: 'two servers killed and started with each other’s address',
  like: 'address reuse',
  needsControl: false,
  arm: (context) => new Swap(context),
};

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
    const after = await Promise.all(
      this.#targets.map(async ({ replica }) => (await cluster.find(replica.name)).address),
    );
    return {
      isProven: before.length === 2 && after[0] === before[1] && after[1] === before[0],
      evidence: this.#targets
        .map(({ replica }, index) => `${replica.name} ${before[index]} → ${after[index]}`)
        .join('; '),
    };
  }

  /** Only makes sure that both run: they keep their new addresses. */
  async heal(): Promise<void> {
    await this.#injection.catch(() => {});
    await settleAll(this.#targets.filter(({ isHealed }) => !isHealed).map((target) => this.#start(target)));
  }

  async #swap(): Promise<void> {
    const [a, b, ...more] = await findTargets(this.#context);
    if (a === undefined || b === undefined || more.length > 0 || a.policy === b.policy)
      throw new Error('swap takes two servers of different policies.');
    await settleAll([a, b].map((replica) => this.#kill(replica)));
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
