// How an address, and a text that a peer has sent, are written for people: in logs, tables and every other output.

// Control characters, line and paragraph separators, and what directs text from right to left (Bidi_Control of Unicode).
const STEERING = String.raw`[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]`;
const ANYWHERE = new RegExp(STEERING, 'gv');
const WITHIN_LINES = new RegExp(String.raw`[${STEERING}--\n]`, 'gv');

/**
 * Escapes what would move the cursor, begin a line, colour the terminal or turn the text round, in the way of JSON: a
 * document of JSON without line breaks between its tokens stays the same document.
 */
export function printable(text: string): string {
  return text.replace(ANYWHERE, escaped);
}

/** The same for a text of several lines, which stay lines. */
export function printableLines(text: string): string {
  return text.replace(WITHIN_LINES, escaped);
}

function escaped(character: string): string {
  const inJson = JSON.stringify(character).slice(1, -1);
  return inJson === character ? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}` : inJson;
}

/** What JSON.parse makes of `json`, with every text in it made printable. */
export function parsePrintable(json: string): unknown {
  return JSON.parse(json, (_name, value: unknown) => (typeof value === 'string' ? printable(value) : value));
}

/** `host:port`, with brackets round an IPv6 host. */
export function addressOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
