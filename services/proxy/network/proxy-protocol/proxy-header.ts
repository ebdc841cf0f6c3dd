// The header of the PROXY protocol, versions 1 and 2: bytes → who has connected to the load balancer. Pure; the sections
// are those of https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt.
import { isIPv4, isIPv6, SocketAddress } from 'node:net';

const WORD = Buffer.from('PROXY ');
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n');
// 2.1: the longest line there is, with its end.
const MAX_LINE_BYTES = 107;
const LINE = /^PROXY TCP([46]) ([\da-fA-F:.]+) ([\da-fA-F:.]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/;
const FIXED_BYTES = 16;
// The addresses take 216 bytes at most. What follows them is skipped: it is seldom more than some hundred.
const MAX_BLOCK_BYTES = 4096;
const MAX_PORT = 65_535;
// 2.2: version and command in one byte, family and transport in the next.
const LOCAL = 0x20;
const PROXY = 0x21;
const TCP4 = 0x11;
const TCP4_BYTES = 12;
const TCP6 = 0x21;
const TCP6_BYTES = 36;
const LAST_FAMILY = 3;
const LAST_TRANSPORT = 2;

export type ProxyHeader =
  /** It may become one. */
  | { kind: 'partial' }
  /** It is none, whatever follows; `why` is a clause about who has sent it. */
  | { kind: 'malformed'; why: string }
  /** `bytes` long; `source` is the address it tells of, null where that of the connection itself holds. */
  | { kind: 'complete'; bytes: number; source: string | null };

const PARTIAL: ProxyHeader = { kind: 'partial' };

/** Reads the header at the start of `bytes`, which is all that has come on a connection. Never throws. */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (beginsAs(bytes, WORD)) return readLine(bytes);
  if (beginsAs(bytes, SIGNATURE)) return readBlock(bytes);
  return malformed('it does not begin with a PROXY header');
}

function beginsAs(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

function malformed(why: string): ProxyHeader {
  return { kind: 'malformed', why };
}

function readLine(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, MAX_LINE_BYTES).indexOf('\r\n');
  if (end === -1) {
    if (bytes.length < MAX_LINE_BYTES) return PARTIAL;
    return malformed(`its PROXY line has no end within ${MAX_LINE_BYTES} bytes`);
  }
  const line = bytes.toString('latin1', 0, end);
  const source = /^PROXY UNKNOWN(?: |$)/.test(line) ? null : sourceIn(line);
  if (source === undefined) return malformed('its PROXY line is malformed');
  return { kind: 'complete', bytes: end + '\r\n'.length, source };
}

// Undefined when the line is not what it must be.
function sourceIn(line: string): string | null | undefined {
  const [, family, source = '', destination = '', ...ports] = LINE.exec(line) ?? [];
  const isAddress = family === '4' ? isIPv4 : isIPv6;
  if (!isAddress(source) || !isAddress(destination)) return undefined;
  return ports.every((port) => Number(port) <= MAX_PORT) ? hostOf(source) : undefined;
}

function readBlock(bytes: Buffer): ProxyHeader {
  if (bytes.length < FIXED_BYTES) return PARTIAL;
  const command = bytes.readUInt8(SIGNATURE.length);
  const protocol = bytes.readUInt8(SIGNATURE.length + 1);
  const length = bytes.readUInt16BE(SIGNATURE.length + 2);
  if (command !== LOCAL && command !== PROXY) {
    return malformed('its PROXY header has a version or command that nobody knows');
  }
  const isProxied = command === PROXY;
  if (isProxied && (protocol >> 4 > LAST_FAMILY || (protocol & 0xf) > LAST_TRANSPORT)) {
    return malformed('its PROXY header has a family or transport that nobody knows');
  }
  if (length > MAX_BLOCK_BYTES) return malformed(`its PROXY header has more than ${MAX_BLOCK_BYTES} bytes`);
  const needed = protocol === TCP4 ? TCP4_BYTES : protocol === TCP6 ? TCP6_BYTES : 0;
  if (isProxied && length < needed) return malformed('its PROXY header is too short for its addresses');
  const end = FIXED_BYTES + length;
  if (bytes.length < end) return PARTIAL;
  // UDP, a Unix socket, or not specified: nothing that a connection to us could be traced back to.
  const source = isProxied && needed > 0 ? hostOf(addressAt(bytes, protocol)) : null;
  return { kind: 'complete', bytes: end, source };
}

function addressAt(bytes: Buffer, protocol: number): string {
  if (protocol === TCP4) return bytes.subarray(FIXED_BYTES, FIXED_BYTES + 4).join('.');
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(FIXED_BYTES + 2 * at).toString(16));
  return groups.join(':');
}

// In the form in which the system gives the address of a connection, as hosts are compared as texts. Zeros are nobody's
// address; to connect to them would be to connect to this machine.
function hostOf(address: string): string | null {
  const host = isIPv4(address) ? address : new SocketAddress({ address, family: 'ipv6' }).address;
  return host === '0.0.0.0' || host === '::' ? null : host;
}
