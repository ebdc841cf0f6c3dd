// Faults that were injected on purpose, as whoever injects them reports them: the page marks when they were on.
import { printable } from '../../shared/printable.ts';
import type { Fault } from '../page/browser/model/contract.ts';
import { type ActReply, denial, refusal } from './acts.ts';

const KEPT = 200;
// One whose end is never reported counts as over then: its reporter has died, or the proxy could not be reached.
const LONGEST_MS = 600_000;
const MAX_LENGTHS = { id: 60, kind: 40, target: 1000, detail: 200 } as const;

type Named = Pick<Fault, 'id' | 'kind' | 'target' | 'detail'>;

export class Faults {
  readonly #wallNow: () => number;
  readonly #listeners = new Set<(fault: Fault) => void>();
  #faults: Fault[] = [];

  constructor(wallNow: () => number) {
    this.#wallNow = wallNow;
  }

  /** The last ones, at most 200, in the order in which they began. */
  get kept(): readonly Fault[] {
    return this.#faults;
  }

  /** It begins now; one that is on already stays as it is. */
  begin(named: Named): void {
    if (this.#isOn(named.id)) return;
    const fault = { ...named, fromMs: this.#wallNow(), untilMs: null };
    this.#faults = [...this.#faults, fault].slice(-KEPT);
    this.#tell(fault);
  }

  /** It ends now. @returns false when no such fault is on */
  end(id: string): boolean {
    if (!this.#isOn(id)) return false;
    this.#close((fault) => fault.id === id);
    return true;
  }

  /** Called each second or so: ends those that have been on for too long. */
  nextSecond(): void {
    const beforeMs = this.#wallNow() - LONGEST_MS;
    this.#close(({ fromMs }) => fromMs <= beforeMs);
  }

  /** Calls `listener` with each fault that begins or ends from now on; the function returned ends that. */
  listen(listener: (fault: Fault) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #isOn(id: string): boolean {
    return this.#faults.some((fault) => fault.untilMs === null && fault.id === id);
  }

  #close(isMeant: (fault: Fault) => boolean): void {
    const untilMs = this.#wallNow();
    const closed: Fault[] = [];
    this.#faults = this.#faults.map((fault) => {
      if (fault.untilMs !== null || !isMeant(fault)) return fault;
      const over = { ...fault, untilMs };
      closed.push(over);
      return over;
    });
    for (const fault of closed) this.#tell(fault);
  }

  #tell(fault: Fault): void {
    for (const listener of this.#listeners) listener(fault);
  }
}

/**
 * Takes a report, `{ phase: 'begin' | 'end', id, kind, target, detail }`; of an end only the id counts.
 * @param report as it came: nothing in it is taken for granted
 */
export function takeFault(
  report: unknown,
  authorization: string | undefined,
  { faults, token }: { faults: Faults; token: Buffer | null },
): ActReply {
  const denied = denial(authorization, token);
  if (denied !== null) return denied;
  const given = (report ?? {}) as Record<string, unknown>;
  const textOf = (name: keyof Named): string => {
    const value = given[name];
    return typeof value === 'string' ? printable(value.trim()).slice(0, MAX_LENGTHS[name]) : '';
  };
  const named = {
    id: textOf('id'),
    kind: textOf('kind'),
    target: textOf('target'),
    detail: textOf('detail'),
  };
  const { phase } = given;
  if (phase !== 'begin' && phase !== 'end') return refusal(400, '"phase" is begin or end.');
  if (named.id === '') return refusal(400, '"id" names the fault, so that its end can be reported: a text.');
  if (phase === 'end') {
    return faults.end(named.id)
      ? { status: 200, body: { done: [`end ${named.id}`] } }
      : refusal(404, 'No fault with this id is on.');
  }
  if (named.kind === '' || named.target === '')
    return refusal(400, '"kind" says what is done, and "target" to whom: each a text.');
  faults.begin(named);
  return { status: 200, body: { done: [`begin ${named.kind} ${named.target}`] } };
}
