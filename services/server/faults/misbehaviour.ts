// What the server does wrong on purpose, for the chaos tests: the state, its validation, one decision a request.

export type Faults = {
  /** Each answer is held back so long. */
  readonly delayMs: number;
  /** CPU time burnt for each request. */
  readonly burnMs: number;
  /** Share of the answers that carry the digest of something else. */
  readonly lieProbability: number;
  /** Real requests get no answer; probes do. */
  readonly isMute: boolean;
  /** Share of the answers that are garbled, with the end of the connection behind them. */
  readonly garbleProbability: number;
};

/** What becomes of one request. `truncated` and `noise` end the connection. */
export type Conduct = 'honest' | 'lie' | 'mute' | 'truncated' | 'noise';

export const NO_FAULTS: Faults = Object.freeze({
  delayMs: 0,
  burnMs: 0,
  lieProbability: 0,
  isMute: false,
  garbleProbability: 0,
});

const MOST: Record<string, number> = {
  delayMs: 60_000,
  burnMs: 1_000,
  lieProbability: 1,
  garbleProbability: 1,
};
const MOST_EXIT_CODE = 255;

/**
 * The whole state from a JSON text; fields left out are off.
 * @returns the state, or one sentence about what is wrong
 */
export function parseFaults(text: string): Faults | string {
  const fields = parseFields(text, Object.keys(NO_FAULTS));
  if (typeof fields === 'string') return fields;
  for (const [name, value] of Object.entries(fields)) {
    const most = MOST[name];
    if (most === undefined ? typeof value !== 'boolean' : !isUpTo(most, value))
      return `The field "${name}" must be ${most === undefined ? 'true or false' : `a number from 0 to ${most}`}.`;
  }
  return Object.freeze({ ...NO_FAULTS, ...fields });
}

/** The exit code from `{"code": 1}`, which is also what `{}` means. @returns the code, or one sentence about what is wrong */
export function parseExitCode(text: string): number | string {
  const fields = parseFields(text, ['code']);
  if (typeof fields === 'string') return fields;
  const { code = 1 } = fields;
  const isCode = isUpTo(MOST_EXIT_CODE, code) && Number.isInteger(code);
  return isCode ? code : `The field "code" must be a whole number from 0 to ${MOST_EXIT_CODE}.`;
}

/** The state, and what it means for each request. */
export class Misbehaviour {
  #faults = NO_FAULTS;
  #garbled = 0;

  get faults(): Faults {
    return this.#faults;
  }

  /** False when every request is answered as if there were no faults at all. */
  get isOn(): boolean {
    return this.#faults !== NO_FAULTS;
  }

  /** Replaces the whole state. Garbling starts again with a truncated answer. */
  set(faults: Faults): void {
    const isOff = Object.values(faults).every((value) => value === 0 || value === false);
    this.#faults = isOff ? NO_FAULTS : faults;
    this.#garbled = 0;
  }

  /**
   * What becomes of the next request.
   * @param isProbe a health probe: mute leaves these alone, everything else does not
   * @param random  0 (inclusive) to 1 (exclusive)
   */
  decide(isProbe: boolean, random: () => number): Conduct {
    const { isMute, garbleProbability, lieProbability } = this.#faults;
    if (isMute && !isProbe) return 'mute';
    if (random() < garbleProbability) {
      this.#garbled += 1;
      return this.#garbled % 2 === 1 ? 'truncated' : 'noise';
    }
    return random() < lieProbability ? 'lie' : 'honest';
  }
}

function isUpTo(most: number, value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= most;
}

// The fields of a JSON object that has no others than `names`, or one sentence about what is wrong.
function parseFields(text: string, names: readonly string[]): Record<string, unknown> | string {
  let fields: unknown = null;
  try {
    fields = JSON.parse(text);
  } catch {
    // Said below.
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields))
    return `The body is not a JSON object: send one, with ${names.join(', ')}.`;
  const unknown = Object.keys(fields).find((name) => !names.includes(name));
  if (unknown === undefined) return fields as Record<string, unknown>;
  return `The field ${JSON.stringify(unknown.slice(0, 60))} is unknown: there is ${names.join(', ')}.`;
}
