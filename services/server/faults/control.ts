// The control listener: HTTP, by which the chaos orchestrator turns the server's faults on and off. Only with --faults.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Log } from '../../shared/log.ts';
import type { Id } from '../../shared/packet.ts';
import { NO_FAULTS, parseExitCode, parseFaults } from './misbehaviour.ts';
import { Saboteur } from './saboteur.ts';

const MAX_BODY_BYTES = 4_096;

const METHODS: Record<string, string> = { '/faults': 'GET, PUT, DELETE', '/exit': 'POST' };

/** Opens the control port of server `id`; ends the process with 2 when it can't be had. @returns what answers while faults are on */
export async function openFaults(id: Id, host: string, port: number, log: Log): Promise<Saboteur> {
  const saboteur = new Saboteur(id);
  try {
    const control = await openControl(host, port, saboteur, log);
    const { port: controlPort } = control.address() as AddressInfo;
    log({ level: 'warn', message: 'faults can be turned on', controlPort });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    log({ level: 'error', message: "can't listen on the control port", host, port, code });
    process.exit(2);
  }
  return saboteur;
}

/**
 * Starts the control listener; rejects with the system's error when the port can't be had.
 *
 *     GET    /faults                the state as JSON
 *     PUT    /faults  {"delayMs":9} replaces the whole state, fields left out are off
 *     DELETE /faults                everything off
 *     POST   /exit    {"code":1}    202, then the process ends at once
 *
 * What is refused gets 400, 404, 405 or 413 with `{"error": "one sentence"}`.
 */
export async function openControl(host: string, port: number, saboteur: Saboteur, log: Log): Promise<Server> {
  const server = createServer((request, response) => {
    answer(request, response, saboteur, log).catch(() => response.destroy());
  });
  server.requestTimeout = 10_000;
  server.listen(port, host);
  await once(server, 'listening');
  server.on('error', () => {});
  // Whatever else ends, this must not be what keeps the process alive.
  return server.unref();
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  saboteur: Saboteur,
  log: Log,
): Promise<void> {
  const path = URL.parse(request.url ?? '/', 'http://control')?.pathname ?? '';
  const allowed = Object.hasOwn(METHODS, path) ? METHODS[path] : undefined;
  const body = await readBody(request);
  if (allowed === undefined) {
    send(response, 404, { error: 'There is nothing here.', paths: Object.keys(METHODS) });
  } else if (!allowed.split(', ').includes(request.method ?? '')) {
    response.setHeader('allow', allowed);
    send(response, 405, { error: `${path} answers ${allowed} only.` });
  } else if (body === null) {
    send(response, 413, { error: `The body is larger than ${MAX_BODY_BYTES} bytes: send a shorter one.` });
  } else if (path === '/exit') {
    const code = parseExitCode(body);
    if (typeof code === 'string') return send(response, 400, { error: code });
    // `close` follows the last byte of the answer as well as the loss of the connection: ordered is ordered.
    response.once('close', () => process.exit(code));
    send(response, 202, { code });
  } else {
    if (request.method !== 'GET') {
      const faults = request.method === 'PUT' ? parseFaults(body) : NO_FAULTS;
      if (typeof faults === 'string') return send(response, 400, { error: faults });
      saboteur.setFaults(faults);
      log({ level: 'warn', message: 'faults', ...faults });
    }
    send(response, 200, saboteur.faults);
  }
}

// What is too large is read to its end and dropped: a sender that is cut off never sees why.
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return bytes <= MAX_BODY_BYTES ? Buffer.concat(chunks).toString('utf8') : null;
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', connection: 'close' });
  response.end(`${JSON.stringify(body)}\n`);
}
