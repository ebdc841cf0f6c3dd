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

type Rule = { wanted: string; isKept(value: unknown): boolean };

export const NO_FAULTS: Faults = Object.freeze({
  delayMs: 0,
  burnMs: 0,
  lieProbability: 0,
  isMute: false,
  garbleProbability: 0,
});

const FAULT_RULES: Record<keyof Faults, Rule> = {
  delayMs: numberUpTo(60_000),
  burnMs: numberUpTo(1_000),
  lieProbability: numberUpTo(1),
  isMute: { wanted: 'true or false', isKept: (value) => typeof value === 'boolean' },
  garbleProbability: numberUpTo(1),
};

const EXIT_RULES = {
  code: {
    wanted: 'a whole number from 0 to 255',
    isKept: (value: unknown) => numberUpTo(255).isKept(value) && Number.isInteger(value),
  },
};

/**
 * The whole state from a JSON text; fields left out are off.
 * @returns the state, or one sentence about what is wrong
 */
export function parseFaults(text: string): Faults | string {
  const fields = parseFields(text, FAULT_RULES);
  return typeof fields === 'string' ? fields : Object.freeze({ ...NO_FAULTS, ...fields });
}

/** The exit code from `{"code": 1}`, which is also what `{}` means. @returns the code, or one sentence about what is wrong */
export function parseExitCode(text: string): number | string {
  const fields = parseFields(text, EXIT_RULES);
  return typeof fields === 'string' ? fields : Number(fields.code ?? 1);
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

function numberUpTo(max: number): Rule {
  return {
    wanted: `a number from 0 to ${max}`,
    isKept: (value) => typeof value === 'number' && value >= 0 && value <= max,
  };
}

function parseFields(text: string, rules: Record<string, Rule>): Record<string, unknown> | string {
  const fields = parseObject(text);
  const names = Object.keys(rules);
  if (fields === null) return `The body is not a JSON object: send one, with ${names.join(', ')}.`;
  for (const [name, value] of Object.entries(fields)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined) {
      return `The field ${JSON.stringify(name.slice(0, 60))} is unknown: there is ${names.join(', ')}.`;
    }
    if (!rule.isKept(value)) return `The field "${name}" must be ${rule.wanted}.`;
  }
  return fields;
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
