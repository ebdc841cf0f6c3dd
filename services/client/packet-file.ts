// File name → the bytes to send: those of the file, the id apart, since odd packets are there to be tried on the proxy.
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { UsageError } from '../shared/config.ts';
import { membersOf } from '../shared/json-text.ts';
import { type Id, MAX_PAYLOAD_BYTES, payloadTooLarge } from '../shared/packet.ts';
import { decodeUtf8 } from '../shared/packet-reader.ts';
import { printable } from '../shared/printable.ts';

const SAMPLES = ['client_packet_1.json', 'client_packet_2.json', 'client_packet_3.json'];
const MAX_FILE_BYTES = 1_048_576;
// Of UTF-8, and of UTF-16 with either end first.
const MARKS = [Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];

export type PacketToSend = {
  bytes: Buffer;
  /** The text that the server digests; null when the packet has none. */
  payload: string | null;
};

/**
 * Reads the packet of `name`, relative to `directory`; a name that is not there may be one of the three samples'.
 * @param clientId replaces the packet's `srcid` when it is given
 * @param missingHint what to add when there is no such file
 * @throws UsageError when there is no such file, or no packet in it that could be sent
 */
export async function readPacketFile(
  name: string,
  directory: string,
  clientId: Id | null,
  missingHint = '',
): Promise<PacketToSend> {
  const bytes = await readBytes(name, directory, missingHint);
  const text = textOf(name, bytes);
  const packet = parse(name, text);
  const payload = typeof packet.payload === 'string' ? packet.payload : null;
  const payloadBytes = payload === null ? 0 : Buffer.byteLength(payload);
  if (payloadBytes > MAX_PAYLOAD_BYTES) throw new UsageError(`${name}: ${payloadTooLarge(payloadBytes)}`);
  if (clientId === null) return { bytes, payload };
  return { bytes: Buffer.from(withClientId(text, clientId)), payload };
}

// In the text: written anew, a packet would lose how its numbers and texts are spelt.
function withClientId(text: string, clientId: Id): string {
  const id = JSON.stringify(clientId);
  const own = membersOf(text).filter(({ name }) => name === 'srcid');
  if (own.length === 0) {
    const isEmpty = membersOf(text).length === 0;
    return text.replace('{', () => `{"srcid":${id}${isEmpty ? '' : ','}`);
  }
  return own.reduceRight((rest, { start, end }) => rest.slice(0, start) + id + rest.slice(end), text);
}

async function readBytes(name: string, directory: string, missingHint: string): Promise<Buffer> {
  const sample = SAMPLES.find((candidate) => candidate === path.basename(name));
  const places = [path.resolve(directory, name)];
  if (sample !== undefined) places.push(path.join(import.meta.dirname, sample));
  for (const place of places) {
    try {
      const { size } = await stat(place);
      if (size > MAX_FILE_BYTES) throw new UsageError(`${name} is ${size} bytes: that is no packet.`);
      return await readFile(place);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw new UsageError(`${name} can't be read (${code}).`);
    }
  }
  throw new UsageError(
    `${name} is not there: give the path of a packet, or one of ${SAMPLES.join(', ')}.${missingHint}`,
  );
}

function textOf(name: string, bytes: Buffer): string {
  if (MARKS.some((mark) => bytes.subarray(0, mark.length).equals(mark))) {
    throw new UsageError(`${name} begins with a byte order mark: save it as UTF-8 without one.`);
  }
  const text = decodeUtf8(bytes);
  if (text !== null) return text;
  const at = Buffer.from(bytes.toString()).findIndex((byte, i) => byte !== bytes[i]);
  throw new UsageError(`${name} is not valid UTF-8, at byte ${at}: save it as UTF-8.`);
}

function parse(name: string, text: string): Record<string, unknown> {
  let packet: unknown;
  try {
    packet = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${name} is not valid JSON: ${printable((error as Error).message)}.`);
  }
  if (typeof packet !== 'object' || packet === null || Array.isArray(packet)) {
    throw new UsageError(`${name} is not a packet: it must be one JSON object, as ${SAMPLES[0]} is.`);
  }
  return packet as Record<string, unknown>;
}
