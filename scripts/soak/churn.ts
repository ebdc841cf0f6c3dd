// shell · carries out the plan of a soak, action by action at its time, and undoes each before it ends.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { AnswerServer } from '../../services/server/answer.ts';
import { formatRequest } from '../../services/shared/packet.ts';
import { freePorts } from '../kit/ports.ts';
import { resetConnection } from '../kit/reset-connection.ts';
import { type Action, type CrowdKind, describeAction, POLICIES, SERVERS, type Server } from './plan.ts';
import type { Stage } from './stage.ts';
import type { DoneAction, Soak } from './verdict.ts';

const REGISTER_WITHIN_MS = 5_000;
const DRAIN_MS = 1_000;
const GARBAGE = [
  'GET / HTTP/1.1\r\nHost: proxy\r\n\r\n',
  '[1, 2, 3]\n',
  '{"type": 0, "srcid": 1, "payload": }\n',
  '{"type": 7}\n',
  `{"type": 0, "payload": "${'x'.repeat(9_000)}"}\n`,
  '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001',
];

/** Resolves after so many ms, or when `signal` fires. */
export async function pauseOr(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.max(0, ms), undefined, { signal }).catch(() => {});
}

/**
 * Begins at once, notes each action in `soak` and what went wrong with it; resolves when the time is up or the signal
 * has fired, and everything is undone.
 */
export async function runChurn(
  plan: readonly Action[],
  durationMs: number,
  stage: Stage,
  soak: Pick<Soak, 'actions' | 'problems'>,
  signal: AbortSignal,
): Promise<void> {
  const startMs = performance.now();
  const elapsedMs = (): number => performance.now() - startMs;
  const ending = new AbortController();
  const underWay: Promise<void>[] = [];
  for (const action of plan) {
    await pauseOr(action.atMs - elapsedMs(), signal);
    if (signal.aborted) break;
    const done: DoneAction = { action, atMs: elapsedMs(), endedMs: null, isSkipped: false };
    soak.actions.push(done);
    const task = carryOut(action, stage, ending.signal).then(
      (isDone) => {
        done.isSkipped = !isDone;
        done.endedMs = elapsedMs();
      },
      (error: Error) => void soak.problems.push(`${describeAction(action)}: ${error.message}`),
    );
    underWay.push(task);
  }
  await pauseOr(durationMs - elapsedMs(), signal);
  ending.abort();
  await Promise.all(underWay);
}

/** @returns false when it was left out */
async function carryOut(action: Action, stage: Stage, ending: AbortSignal): Promise<boolean> {
  const wait = () => pauseOr(action.lastsMs, ending);
  if ('size' in action) await openConnections(action.kind, action.size, stage.proxy.port, wait);
  else if (action.kind === 'sessionless') await runSessionless(action, stage.proxy.port, wait);
  else if (action.kind === 'guest') {
    await stage.start(action);
    await wait();
    await stage.stop(action.id);
  } else {
    if (!(await hasAnother(action, stage)) || ending.aborted) return false;
    if (action.kind === 'freeze') stage.signal(action.id, 'SIGSTOP');
    else await stage.stop(action.id, action.kind === 'kill' ? 'killed' : 'cleanly');
    await wait();
    if (action.kind === 'freeze') stage.signal(action.id, 'SIGCONT');
    else await stage.start(action);
  }
  return true;
}

// The plan leaves time for that; on a machine that is slower than was thought, an action must not become an outage.
async function hasAnother({ policy, id }: Server, stage: Stage): Promise<boolean> {
  const others = SERVERS.filter((each) => each.policy === policy && each.id !== id).map((each) => each.id);
  const { servers } = await stage.status();
  return servers.some((row) => row.state === 'ready' && others.includes(String(row.id)));
}

/** A server in this process that registers without a session, and ends without a word to the proxy. */
async function runSessionless(
  { id, policy }: Server,
  proxyPort: number,
  wait: () => Promise<void>,
): Promise<void> {
  const server = new AnswerServer(id);
  const [wanted = 0] = await freePorts(1);
  const listenport = await server.listen(wanted, '127.0.0.1');
  const socket = connect({ port: proxyPort, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.write(`${JSON.stringify({ type: 1, id, privPoliId: policy, listenport })}\n`);
  try {
    await once(socket, 'data', { signal: AbortSignal.timeout(REGISTER_WITHIN_MS) });
    socket.destroy();
    await wait();
  } finally {
    socket.destroy();
    await server.drain(DRAIN_MS);
  }
}

/** Opens so many connections, does with each what the kind says, and ends them all after `wait`, half with a reset. */
async function openConnections(
  kind: CrowdKind,
  size: number,
  port: number,
  wait: () => Promise<void>,
): Promise<void> {
  const sockets = Array.from({ length: size }, (_, index) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.on('error', () => {});
    socket.resume();
    misuse(socket, kind, index);
    return socket;
  });
  const closed = sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
  await wait();
  for (const [index, socket] of sockets.entries()) {
    if (index % 2 === 0) socket.destroy();
    else resetConnection(socket);
  }
  await Promise.all(closed);
}

function misuse(socket: Socket, kind: CrowdKind, index: number): void {
  const request = formatRequest('crowd', POLICIES[index % POLICIES.length] ?? '', `request ${index}`);
  if (kind === 'visits') socket.end(request);
  else if (kind === 'resets') socket.write(request, () => resetConnection(socket));
  else if (kind === 'partial') socket.write(request.slice(0, request.length >> 1));
  else if (kind === 'garbage') socket.write(GARBAGE[index % GARBAGE.length] ?? '');
}
