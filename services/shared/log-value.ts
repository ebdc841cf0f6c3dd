// How a value stands in a line of a log: nothing that a peer has sent can end the value, the line, or look like another value.
import { printable } from './printable.ts';

// Printable ASCII without what separates values or begins a quotation.
const PLAIN_WORD = /^[!#-<>-[\]-~]+$/;
// What a JSON string holds as it is.
const PLAIN_TEXT = /^[ !#-[\]-~]*$/;

/** A value of a line for people: as it is where that is one plain word, in quotes otherwise. */
export function textValue(value: unknown): string {
  if (typeof value !== 'string') return printable(JSON.stringify(value));
  return PLAIN_WORD.test(value) || isWord(value) ? value : printable(JSON.stringify(value));
}

/** A text as a value of a JSON line, with its quotes. */
export function jsonText(text: string): string {
  return PLAIN_TEXT.test(text) ? `"${text}"` : printable(JSON.stringify(text));
}

// Letters of all languages need no quotes.
function isWord(text: string): boolean {
  return /^[^\s"=\\]+$/.test(text) && printable(text) === text && text.isWellFormed();
}
