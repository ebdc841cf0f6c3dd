// What a server did with a health probe, as a clause that a person can act on: for the table, the events and the log.
import type { Packet } from '../../shared/packet.ts';
import { printable } from '../../shared/printable.ts';

const SHOWN_BYTES = 40;
const SHOWN_CHARACTERS = 200;

/**
 * An answer that is none.
 * @param packet what it was understood as
 * @param bytes  what came, as latin1; its beginning is enough
 */
export function describeNoAnswer(packet: Packet, bytes: string): string {
  return packet.kind === 'error'
    ? `it answered with an error packet: ${quoted(packet.sentence)} (${quoted(packet.code)})`
    : `it answered with a packet that is no answer: ${shown(bytes)}`;
}

/** Bytes that are no packet. */
export function describeBytes(bytes: string): string {
  return `it answered with what is no packet: ${shown(bytes)}`;
}

/** A digest that is not `wanted`. */
export function describeDigest(digest: string, wanted: string): string {
  if (digest.toLowerCase() === wanted) return 'its hex digits are upper-case, and lower-case ones are wanted';
  return digest.length === wanted.length
    ? `its payload is "${quoted(digest)}", and "${wanted}" is wanted`
    : `${wanted.length} hex digits wanted, ${digest.length} characters came`;
}

/** How a connection ended without an answer. */
export function describeEnd(how: 'closed' | 'reset', bytes: string): string {
  const after = bytes === '' ? 'without an answer' : `in the middle of its answer: ${shown(bytes)}`;
  return how === 'closed' ? `it closed the connection ${after}` : `it reset the connection ${after}`;
}

/** Why nothing was heard in time. */
export function describeSilence(wasConnected: boolean, bytes: string, timeoutMs: number): string {
  if (!wasConnected) return `it took no connection in ${timeoutMs} ms`;
  return bytes === ''
    ? `it took the connection, and did not answer in ${timeoutMs} ms`
    : `it had not finished its answer after ${timeoutMs} ms: ${shown(bytes)}`;
}

// Nothing that a server sends may move the cursor of a terminal.
function shown(bytes: string): string {
  const text = bytes.slice(0, SHOWN_BYTES).replaceAll(/[^ -~]/g, (byte) => {
    return byte === '\n' ? '\\n' : `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `"${text}${bytes.length > SHOWN_BYTES ? '…' : ''}"`;
}

function quoted(text: string): string {
  const cut = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  return printable(cut.toWellFormed());
}
