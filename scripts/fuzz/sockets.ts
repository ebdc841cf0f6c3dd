// shell · hostile connections against a running proxy, many at a time, while a normal client checks that it is served.
// Must never go on after the first thing found, or leave a process behind.
import { randomBytes } from 'node:crypto';
import { type Attack, attack } from './attack.ts';
import { type BystanderTally, startBystander } from './bystander.ts';
import { drawInput } from './inputs/draw.ts';
import type { Finding } from './oracle.ts';
import { setStage } from './stage.ts';

const AT_A_TIME = 128;
const MAX_FRAME_BYTES = 8192;
const TELL_EVERY = 1000;
// Each has ports of its own: those of closed connections rest for a minute.
const HOSTILE_ADDRESSES = Array.from({ length: 8 }, (_, i) => `127.0.0.${i + 2}`);

export type SocketsTally = {
  inputs: number;
  replies: number;
  bystander: BystanderTally;
  /** Its numbers are those of the inputs that were under way; the first is the likeliest. */
  finding: (Finding & { numbers: readonly number[] }) | null;
};

export type SocketsJob = {
  seed: number;
  first: number;
  /** How many inputs at the most; null: until the time is up. */
  count: number | null;
  forMs: number;
  signal: AbortSignal;
  onProgress: (inputs: number) => void;
};

/** Attacks a proxy of its own. */
export async function fuzzOverSockets(job: SocketsJob): Promise<SocketsTally> {
  // A name that no input can hold: nobody else can register for it.
  const policy = `served-${randomBytes(8).toString('hex')}`;
  const stage = await setStage(policy, job.signal);
  const bystander = startBystander({ host: '127.0.0.1', port: stage.port }, policy);
  const siege = new Siege(job, stage.port);
  void stage.broke.then((detail) => siege.end('the proxy stays up and says no error', detail));
  void bystander.problem.then((detail) => siege.end('the normal client is served at every moment', detail));
  try {
    await siege.run();
    await bystander.stop();
    // What the proxy says last may still be on its way.
    await new Promise((resolve) => setTimeout(resolve, 50));
  } finally {
    const atEnd = await stage.stop();
    if (atEnd !== null) siege.end('the proxy stops in good order', atEnd);
  }
  job.signal.throwIfAborted();
  return { ...siege.tally, bystander: bystander.tally() };
}

/** Sends inputs to one port, `AT_A_TIME` at once. */
export class Siege {
  readonly tally: Omit<SocketsTally, 'bystander'> = { inputs: 0, replies: 0, finding: null };
  readonly #job: SocketsJob;
  readonly #port: number;
  readonly #underWay = new Set<number>();
  #next: number;

  constructor(job: SocketsJob, port: number) {
    this.#job = job;
    this.#port = port;
    this.#next = job.first;
  }

  /** Goes on until the time is up, the inputs are used up, or something is found. */
  async run(): Promise<void> {
    const endMs = performance.now() + this.#job.forMs;
    await Promise.all(Array.from({ length: AT_A_TIME }, (_, lane) => this.#runLane(lane, endMs)));
  }

  /** Something was found: no more is sent. The first finding stays. */
  end(check: string, detail: string, number?: number): void {
    const others = [...this.#underWay].filter((one) => one !== number);
    const numbers = number === undefined ? others : [number, ...others];
    this.tally.finding ??= { check, detail, numbers };
  }

  async #runLane(lane: number, endMs: number): Promise<void> {
    const { seed, first, count, signal, onProgress } = this.#job;
    const localAddress = HOSTILE_ADDRESSES[lane % HOSTILE_ADDRESSES.length] ?? null;
    const target: Attack = {
      port: this.#port,
      maxFrameBytes: MAX_FRAME_BYTES,
      localAddress: process.platform === 'linux' ? localAddress : null,
    };
    while (this.tally.finding === null && !signal.aborted && performance.now() < endMs) {
      if (count !== null && this.#next >= first + count) return;
      const number = this.#next;
      this.#next += 1;
      this.#underWay.add(number);
      const { problem, replies } = await attack(drawInput(seed, number), target);
      if (problem !== null) this.end('every connection gets what the protocol owes it', problem, number);
      this.#underWay.delete(number);
      this.tally.inputs += 1;
      this.tally.replies += replies;
      if (this.tally.inputs % TELL_EVERY === 0) onProgress(this.tally.inputs);
    }
  }
}
