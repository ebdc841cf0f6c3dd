// A program: so many clients that misbehave until it is ended, or for two minutes. Usage: crowd.ts KIND PORT COUNT.
// - refused: send `{}` without end, read what comes back, and connect again when they are cut off
// - unread: send good requests without end, and never read; unread-refused: the same with `{}`
// - idle: say nothing, and connect again
import net from 'node:net';

const [kind = '', port, howMany] = process.argv.slice(2);
// One address would be a limit for each source, and has only so many local ports.
const ADDRESSES = 50;
const AGAIN_AFTER_MS = 20;
const REFUSED = '{}'.repeat(1000);
const payload = 'x'.repeat(1000);
const UNREAD = `${JSON.stringify({ type: 0, srcid: 7, privPoliId: '1', payloadsize: 1000, payload })}\n`;

let connected = 0;
setTimeout(() => process.exit(), 120_000).unref();
for (let at = 0; at < Number(howMany); at += 1) open(at, true);
console.log('trying');

function open(at: number, isFirst: boolean): void {
  const localAddress = `127.0.1.${1 + (at % ADDRESSES)}`;
  const socket = net.connect({ port: Number(port), host: '127.0.0.1', localAddress, noDelay: true });
  if (kind.startsWith('unread')) socket.pause();
  else socket.resume();
  socket.on('error', () => {});
  socket.on('close', () => setTimeout(() => open(at, false), AGAIN_AFTER_MS));
  socket.on('connect', () => {
    if (isFirst) connected += 1;
    if (isFirst && connected === Number(howMany)) console.log('ready');
    if (kind !== 'idle') send(socket, kind === 'unread' ? UNREAD : REFUSED);
  });
}

function send(socket: net.Socket, text: string): void {
  while (socket.writable && socket.write(text));
  if (socket.writable) socket.once('drain', () => send(socket, text));
}
