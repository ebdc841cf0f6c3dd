// shell · a service gets more or fewer replicas, and its old number back. Nobody is hit: nothing may go wrong.
// Must never run while another fault of that service lasts: Compose would start what is dead.
import type { ArmedFault, Fault, FaultContext, Proof } from './fault.ts';

export const scale: Fault = {
  kind: 'scale',
  title: 'another number of replicas',
  like: 'elasticity',
  needsControl: false,
  arm: (context) => new Scale(context),
};

class Scale implements ArmedFault {
  readonly #context: FaultContext;
  readonly #service: string;
  readonly #wanted: number;
  #before: number | null = null;

  constructor(context: FaultContext) {
    const [service, ...more] = context.fault.targets;
    const wanted = context.fault.params.replicas;
    if (service === undefined || more.length > 0 || wanted === undefined)
      throw new Error('scale takes one service and the number of replicas.');
    this.#context = context;
    this.#service = service;
    this.#wanted = wanted;
  }

  async inject(): Promise<void> {
    const { cluster } = this.#context;
    this.#before = (await cluster.replicas(this.#service)).length;
    await cluster.scale(this.#service, this.#wanted);
  }

  async prove(): Promise<Proof> {
    const states = (await this.#context.cluster.replicas(this.#service)).map(({ state }) => state);
    const running = states.filter((state) => state === 'running').length;
    const isOther = this.#before !== this.#wanted;
    return {
      isProven: isOther && states.length === this.#wanted && running === this.#wanted,
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
