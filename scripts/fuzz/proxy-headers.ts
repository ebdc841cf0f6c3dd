// pure · what a load balancer sends before the bytes of an input: PROXY headers, and what must not pass for one.

/** `isRight` when the proxy has to take it, and to go on with what follows. */
export type Header = { bytes: Buffer; isRight: boolean };

const BINARY = '\r\n\r\n\0\r\nQUIT\n';
const V4 = '\x7f\x01\x02\x03\x7f\0\0\x01\0\x01\0\x02';
const V6 = `${'\0'.repeat(15)}\x01${'\0'.repeat(15)}\x01\0\x01\0\x02`;

// Servers that register behind one are looked for at its address: on this machine.
const RIGHT = [
  'PROXY UNKNOWN\r\n',
  `PROXY UNKNOWN ${'\xff'.repeat(91)}\r\n`,
  'PROXY TCP4 127.1.2.3 127.0.0.1 0 65535\r\n',
  'PROXY TCP6 0:0::0001 ::1 1 2\r\n',
  `${BINARY}\x20\xff\0\x05{{{{{`,
  `${BINARY}\x21\0\0\0`,
  `${BINARY}\x21\x11\0\x0c${V4}`,
  `${BINARY}\x21\x11\x10\0${V4}${'\xff'.repeat(4084)}`,
  `${BINARY}\x21\x21\0\x24${V6}`,
  `${BINARY}\x21\x31\0\xd8${'/'.repeat(216)}`,
];
// Each is wrong whatever follows.
const WRONG = [
  '{"type":0}',
  'PROXY TCP4 127.1.2.3 127.0.0.1 1 65536\r\n',
  'PROXY TCP4 ::1 ::1 1 2\r\n',
  'PROXY TCP6 ::1%lo ::1 1 2\r\n',
  `PROXY UNKNOWN ${' '.repeat(107)}\r\n`,
  'PROXY \xff\r\n',
  `${BINARY}\x11\x11\0\x0c${V4}`,
  `${BINARY}\x22\x11\0\x0c${V4}`,
  `${BINARY}\x21\xff\0\x0c${V4}`,
  `${BINARY}\x21\x21\0\x0c${V4}`,
  `${BINARY}\x21\x11\xff\xff${V4}`,
  `${BINARY.slice(0, -1)}\r`,
];

function ofText(isRight: boolean): (text: string) => Header {
  return (text) => ({ bytes: Buffer.from(text, 'latin1'), isRight });
}

export const HEADERS: readonly Header[] = [...RIGHT.map(ofText(true)), ...WRONG.map(ofText(false))];
