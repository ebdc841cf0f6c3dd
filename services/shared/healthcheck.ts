// One look at a role from inside its own container, for Docker's health check: `healthcheck.ts http|server PORT`.
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { printable } from './printable.ts';

const DEADLINE_MS = 1000;
const REQUEST = '{"type":0,"srcid":"health","privPoliId":"health","payloadsize":6,"payload":"health"}\n';

const [kind, portText] = process.argv.slice(2);
const port = Number(portText);
setTimeout(() => fail(`no answer within ${DEADLINE_MS} ms`), DEADLINE_MS).unref();

switch (kind) {
  case 'http':
    get({ host: '127.0.0.1', port, path: '/healthz', agent: false }, (response) => {
      if (response.statusCode === 200) process.exit(0);
      fail(`status ${response.statusCode}`);
    }).on('error', (error) => fail(error.message));
    break;
  case 'server':
    checkServer();
    break;
  default:
    fail('usage: healthcheck.ts http|server PORT');
}

// A request as a client sends it: a server that only accepts connections is not a healthy one.
function checkServer(): void {
  let reply = '';
  connectToServer()
    .setEncoding('utf8')
    .on('error', (error) => fail(error.message))
    .on('end', () => fail('the connection was closed without an answer'))
    .on('data', (text: string) => {
      reply += text;
      if (!reply.includes('}')) return;
      if (/"type"\s*:\s*2\b/.test(reply)) process.exit(0);
      fail(`answered ${printable(reply.slice(0, 200))}`);
    })
    .write(REQUEST);
}

// Whether others trust its certificate is theirs to say: this only asks whether it answers.
function connectToServer(): Socket {
  const { SERVER_TLS_CERT, SERVER_TLS_KEY } = process.env;
  if (!SERVER_TLS_CERT || !SERVER_TLS_KEY) return connect(port, '127.0.0.1');
  const [cert, key] = [readFileSync(SERVER_TLS_CERT), readFileSync(SERVER_TLS_KEY)];
  const tls = process.getBuiltinModule('node:tls');
  return tls.connect({ host: '127.0.0.1', port, cert, key, rejectUnauthorized: false });
}

function fail(why: string): never {
  console.error(why);
  process.exit(1);
}
