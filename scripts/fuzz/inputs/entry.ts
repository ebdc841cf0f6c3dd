// pure · one input that is known by name, and the packet that its field stands in.

export type Entry = {
  name: string;
  bytes: Buffer;
  maxFrameBytes: number;
};

export const DEFAULT_LIMIT = 8192;

/** @param maxFrameBytes the limit that it is read with */
export function entry(
  name: string,
  content: string | Uint8Array | number[],
  maxFrameBytes = DEFAULT_LIMIT,
): Entry {
  return { name, bytes: Buffer.from(content as string), maxFrameBytes };
}

/** A packet of any type, with everything that each needs; a field that it has already is there twice. */
export function packet(type: number, name: string, value: string): string {
  return `{"type":${type},"srcid":1,"id":1,"privPoliId":1,"listenport":9,"payload":"","${name}":${value}}`;
}
