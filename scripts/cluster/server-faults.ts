// shell · the servers' control port, which turns their own faults on and off; over their containers' addresses.
import type { Faults } from '../../services/server/faults/misbehaviour.ts';
import { askHttp } from '../kit/http.ts';
import type { Replica } from './replicas.ts';

const PORT = 9100;
const DEADLINE_MS = 2_000;

/** What the server does wrong at present. @throws Error with one sentence */
export async function readFaults(replica: Replica): Promise<Faults> {
  return await ask(replica, 'GET', '/faults');
}

/** Changes what is named and leaves the rest; returns the state that it then has. @throws Error with one sentence */
export async function setFaults(replica: Replica, change: Partial<Faults>): Promise<Faults> {
  // PUT replaces the whole state.
  return await ask(replica, 'PUT', '/faults', { ...(await readFaults(replica)), ...change });
}

/** Turns everything off. @throws Error with one sentence */
export async function clearFaults(replica: Replica): Promise<void> {
  await ask(replica, 'DELETE', '/faults');
}

/** Its process ends by itself right after the answer. @throws Error with one sentence */
export async function exit(replica: Replica, code: number): Promise<void> {
  await ask(replica, 'POST', '/exit', { code });
}

/** Whether anything is on. */
export function isFaulty(faults: Faults): boolean {
  return Object.values(faults).some((value) => value !== 0 && value !== false);
}

/** Whether nothing listens there: the server has been started without FAULTS=1, or has not begun to listen. */
export function isRefused(error: unknown): boolean {
  return ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED';
}

async function ask<Answer>(replica: Replica, method: string, path: string, body?: object): Promise<Answer> {
  const what = `${replica.name}'s control port could not be asked (${method} ${path})`;
  if (replica.address === null) throw new Error(`${what}: it has no address.`);
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const options = { method, headers: { 'content-type': 'application/json' }, signal };
  try {
    const { status, answer } = await askHttp(
      new URL(path, `http://${replica.address}:${PORT}`),
      options,
      body,
    );
    if (status >= 300) throw new Error(`${status} ${answer.trim()}`);
    return JSON.parse(answer) as Answer;
  } catch (error) {
    const reason = signal.aborted ? `no answer in ${DEADLINE_MS / 1000} s` : (error as Error).message;
    throw new Error(`${what}: ${reason}.`, { cause: error });
  }
}
