// What JSON.parse does not say about a text: where its members stand, how deep they are, what is not well-formed.
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const SMALL_E = 0x65;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const LOWER_CASE = 0x20;

// Every number with fewer digits is exact in a double.
const MANY_DIGITS = 16;

/** One member of the object that a text is. */
export type Member = {
  name: string;
  start: number;
  end: number;
  /** Levels of nesting, counted from the object that it is a member of: 1 for a number or a text. */
  depth: number;
  /** Its name and all texts in its value have a form in UTF-8: no half of a surrogate pair stands alone. */
  isWellFormed: boolean;
};

/**
 * Whether `membersOf` may find more than `maxDepth` levels, half of a surrogate pair, or a number that a double does not
 * hold as it is written. It takes a fraction of the time of a parse, and holds for few texts only.
 */
export function needsCloserLook(text: string, maxDepth: number): boolean {
  return hasMoreThan(maxDepth, text, ['{', '[']) || mayHaveHalves(text) || hasOddNumber(text);
}

/** Whether characters of `marks` stand in a text more than `most` times in all. */
export function hasMoreThan(most: number, text: string, marks: readonly string[]): boolean {
  let count = 0;
  for (const mark of marks) {
    for (let at = text.indexOf(mark); at !== -1; at = text.indexOf(mark, at + 1)) {
      count += 1;
      if (count > most) return true;
    }
  }
  return false;
}

/** @returns the members of an object, in their order, equal names included; `text` must be one that JSON.parse takes */
export function membersOf(text: string): Member[] {
  const members: Member[] = [];
  let at = afterSpace(text, text.indexOf('{') + 1);
  while (text.charCodeAt(at) !== CLOSE_BRACE) {
    const nameEnd = afterString(text, at);
    const written = text.slice(at, nameEnd);
    const start = afterSpace(text, afterSpace(text, nameEnd) + 1);
    // Many peers' packets have as many fields as fit in, and to parse each name on its own takes most of the time.
    const name: string = written.includes('\\') ? JSON.parse(written) : written.slice(1, -1);
    const member = { name, start, end: start, depth: 1, isWellFormed: name.isWellFormed() };
    walkValue(text, member);
    members.push(member);
    at = afterSpace(text, member.end);
    if (text.charCodeAt(at) === COMMA) at = afterSpace(text, at + 1);
  }
  return members;
}

// A loop, since a peer decides how deep it goes.
function walkValue(text: string, member: Member): void {
  let depth = 1;
  let at = member.start;
  while (true) {
    const unit = text.charCodeAt(at);
    if (depth === 1 && (unit === COMMA || unit === CLOSE_BRACE)) break;
    if (unit === QUOTE) {
      const end = afterString(text, at);
      member.isWellFormed &&= isSendable(text.slice(at, end));
      at = end;
      continue;
    }
    if (unit === OPEN_BRACKET || unit === OPEN_BRACE) depth += 1;
    else if (unit === CLOSE_BRACKET || unit === CLOSE_BRACE) depth -= 1;
    else if (depth === 1 && isSpace(unit)) break;
    member.depth = Math.max(member.depth, depth);
    at += 1;
  }
  member.end = at;
}

// Of bytes that were read as UTF-8, only an escape can be half of a pair.
function isSendable(written: string): boolean {
  return !written.includes('\\u') || (JSON.parse(written) as string).isWellFormed();
}

function mayHaveHalves(text: string): boolean {
  return text.includes('\\u') && /\\u[dD][89a-fA-F]/.test(text);
}

// A colon, a number behind it, and a sign of what it loses in a double. A payload may look like that too.
function hasOddNumber(text: string): boolean {
  for (let colon = text.indexOf(':'); colon !== -1; colon = text.indexOf(':', colon + 1)) {
    let at = afterSpace(text, colon + 1);
    const isNegative = text.charCodeAt(at) === MINUS;
    if (isNegative) at += 1;
    const first = at;
    while (isDigit(text.charCodeAt(at))) at += 1;
    if (at === first) continue;
    const behind = text.charCodeAt(at);
    if (behind === DOT || (behind | LOWER_CASE) === SMALL_E) return true;
    if (at - first >= MANY_DIGITS || (isNegative && text.charCodeAt(first) === ZERO)) return true;
  }
  return false;
}

function afterSpace(text: string, from: number): number {
  let at = from;
  while (isSpace(text.charCodeAt(at))) at += 1;
  return at;
}

/** @param from where the string's first quote stands */
function afterString(text: string, from: number): number {
  let at = text.indexOf('"', from + 1);
  while (isEscaped(text, at)) at = text.indexOf('"', at + 1);
  return at + 1;
}

// An odd number of backslashes stands before it.
function isEscaped(text: string, at: number): boolean {
  let before = at - 1;
  while (text.charCodeAt(before) === BACKSLASH) before -= 1;
  return (at - before) % 2 === 0;
}

function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09;
}

function isDigit(unit: number): boolean {
  return unit >= ZERO && unit <= NINE;
}
