// The text of a frame → its fields, or what is wrong with it as a text. What the fields mean is packet.ts's.
import { hasMoreThan, type Member, membersOf, needsCloserLook } from './json-text.ts';

export type Fields = Record<string, unknown>;

/** Levels of nesting that a packet may have, itself included: some peers' parsers die of many. */
const MAX_DEPTH = 32;

const MAX_QUOTED_NAME = 40;

// What is compared or counted with. Any other number is forwarded as it came, and never read.
const READ_AS_NUMBERS = new Set([
  'type',
  'srcid',
  'destid',
  'id',
  'privPoliId',
  'privPolyId',
  'listenport',
  'incarnation',
]);

/** Stands in a packet's fields for a number that would be read as another one than was written. */
export class InexactNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** @returns the object that a text is, or the sentence about why it is none; never throws */
export function parseFields(text: string): Fields | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `The packet is not valid JSON: ${(error as Error).message}. Send one JSON object.`;
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Fields) : 'The packet is not a JSON object: send one, with its braces.';
}

/**
 * Looks for what a server's parser may die of, in every member of the text: a peer's own bytes are forwarded, also what
 * JSON.parse leaves out. On the way, numbers in `fields` that are not what was written become InexactNumbers.
 * @returns the sentence of a refusal; null when there is nothing to refuse
 */
export function flawOf(text: string, fields: Fields): string | null {
  if (!needsCloserLook(text, MAX_DEPTH)) return null;
  let flaw: string | null = null;
  const written = new Map<string, string>();
  for (const member of membersOf(text)) {
    flaw ??= flawOfMember(member);
    // The last of equal names counts: it is the one in `fields`.
    if (READ_AS_NUMBERS.has(member.name)) written.set(member.name, text.slice(member.start, member.end));
  }
  for (const [name, value] of written) {
    const isNumber = /^[-\d]/.test(value);
    const isExact = Number.isSafeInteger(Number(value)) && String(Number(value)) === value;
    if (isNumber && !isExact) fields[name] = new InexactNumber(value);
  }
  return flaw;
}

/**
 * Whether two peers may read different values of a field, or different policies: a field stands there twice, or the policy has
 * both of its names and two values. A packet of which a proxy reads one value and a server another must not be forwarded.
 * @returns the sentence of a refusal; null when there is one reading
 */
export function ambiguityOf(text: string, fields: Fields): string | null {
  const { privPoliId, privPolyId } = fields;
  if (
    (privPoliId ?? null) !== null &&
    (privPolyId ?? null) !== null &&
    asText(privPoliId) !== asText(privPolyId)
  )
    return 'The field "privPoliId" names another policy than "privPolyId": send one of them.';
  // A field that is there twice has a colon more than there are fields, as has much that is not.
  if (!hasMoreThan(Object.keys(fields).length, text, [':'])) return null;
  const seen = new Set<string>();
  for (const { name } of membersOf(text)) {
    if (seen.has(name)) return `The field ${quoted(name)} is there twice: send it once.`;
    seen.add(name);
  }
  return null;
}

// Null for what can't be a policy. An object may not be one that can be turned into a text.
function asText(value: unknown): string | null {
  if (value instanceof InexactNumber) return value.text;
  return typeof value === 'string' || typeof value === 'number' ? String(value) : null;
}

function flawOfMember({ name, depth, isWellFormed }: Member): string | null {
  if (!isWellFormed) {
    const where = name.isWellFormed() ? `The field ${quoted(name)}` : 'The name of the field';
    return `${where} has a lone surrogate in it, which has no form in UTF-8: send whole characters.`;
  }
  if (depth <= MAX_DEPTH) return null;
  return `The field ${quoted(name)} is nested too deep: at most ${MAX_DEPTH} levels are allowed, the packet's own included.`;
}

function quoted(name: string): string {
  return JSON.stringify(
    name.length <= MAX_QUOTED_NAME ? name : `${name.slice(0, MAX_QUOTED_NAME)}…`.toWellFormed(),
  );
}
