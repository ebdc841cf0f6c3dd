// pure · how a check of the oracle says that something does not hold.
// Must never be thrown for anything but the code under test.

/** A promise that was not kept, and what was seen instead. */
export class Disagreement extends Error {
  readonly check: string;

  constructor(check: string, detail: string) {
    super(detail);
    this.check = check;
  }
}

/** Throws a Disagreement unless two plain values are the same, field by field. */
export function same(check: string, actual: unknown, expected: unknown): void {
  if (isSame(actual, expected)) return;
  throw new Disagreement(check, `${show(actual)} instead of ${show(expected)}`);
}

function isSame(actual: unknown, expected: unknown): boolean {
  if (typeof expected !== 'object' || expected === null || typeof actual !== 'object' || actual === null) {
    return Object.is(actual, expected);
  }
  const names = Object.keys(expected);
  return (
    names.length === Object.keys(actual).length &&
    names.every((name) => name in actual && isSame(Reflect.get(actual, name), Reflect.get(expected, name)))
  );
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length <= 400 ? text : `${text.slice(0, 300)} … ${text.slice(-99)}`;
}
