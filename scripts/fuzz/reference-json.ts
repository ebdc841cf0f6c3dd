// pure · the text of a packet read again by its tokens: what each field is, how it is written, and what no peer should get.
// Must never share code with what it judges, or care for speed.

const MAX_LEVELS = 32;
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/gs;
const LARGEST = 2n ** 53n - 1n;

/** A number that is another one by the time a program has read it. */
export class NotAsWritten {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type ReferenceObject = {
  /** Own fields only, in a map: whatever they are called, they reach no prototype. */
  fields: ReadonlyMap<string, unknown>;
  /** The fields, also those that a second one of their name hides, that hold what no peer should get. */
  flawed: readonly string[];
  /** The names of its own fields that stand there more than once. */
  repeated: readonly string[];
};

/** @returns null where there is no object */
export function readObject(text: string): ReferenceObject | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (Object.prototype.toString.call(value) !== '[object Object]') return null;
  const fields = new Map<string, unknown>(Object.entries(value as object));
  const { flawed, numbers, names } = walk(text.match(TOKENS) ?? []);
  for (const [name, token] of numbers) {
    if (token !== null && !isAsWritten(token)) fields.set(name, new NotAsWritten(token));
  }
  return { fields, flawed, repeated: names.filter((name, at) => names.indexOf(name) !== at) };
}

// Of each field the last number, or null where the last value is none.
function walk(tokens: readonly string[]): {
  flawed: string[];
  numbers: Map<string, string | null>;
  names: string[];
} {
  const flawed: string[] = [];
  const names: string[] = [];
  const numbers = new Map<string, string | null>();
  const open: string[] = [];
  let field = '';
  let before = '';
  for (const token of tokens) {
    if (token === '}' || token === ']') open.pop();
    if (token === '{' || token === '[') open.push(token);
    const isText = token.startsWith('"');
    if (open.length === 1 && isText && before !== ':') {
      field = JSON.parse(token);
      names.push(field);
    }
    if (open.length === 1 && before === ':') numbers.set(field, /^[-\d]/.test(token) ? token : null);
    if (open.length === 2 && (token === '{' || token === '[') && before === ':') numbers.set(field, null);
    if (open.length > MAX_LEVELS || (isText && !isWhole(JSON.parse(token)))) flawed.push(field);
    before = token;
  }
  return { flawed, numbers, names };
}

function isAsWritten(token: string): boolean {
  if (!/^(0|-?[1-9][0-9]*)$/.test(token)) return false;
  const number = BigInt(token);
  return number <= LARGEST && number >= -LARGEST;
}

/** Whether a text can be encoded: a character that is half of a pair can't. */
export function isWhole(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}
