// shell · starts the measuring process, hands it its order, and passes on what it says.
// Must never return while that process runs.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { programEnvironment } from '../kit/command.ts';
import { Failure } from '../kit/failure.ts';
import type { Progress } from '../kit/progress.ts';
import type { Order, Word } from './words.ts';

const WORKER = join(import.meta.dirname, 'worker.ts');
const TAIL_LINES = 20;
// It stops up to a dozen processes, each of which may take two seconds.
const KILL_AFTER_MS = 30_000;

/** What an order comes to: runs one by one, or the growth. */
export type Finding = Extract<Word, { kind: 'record' | 'growth' }>;

/**
 * Has an order carried out by a process of its own.
 * @param network   what to put before its command line, from `ownNetwork`
 * @param onFinding called as soon as something is known
 * @throws Failure when it fails, or the signal's reason once it has stopped everything
 */
export async function carryOut(
  order: Order,
  network: readonly string[],
  onFinding: (finding: Finding) => void,
  { signal, phase, line }: Progress,
): Promise<void> {
  signal.throwIfAborted();
  const [program = process.execPath, ...args] = [...network, process.execPath, WORKER];
  const child = spawn(program, args, {
    env: programEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // Numbers that are none have to arrive as such.
    serialization: 'advanced',
    // A Ctrl-C of the terminal is passed on once, by the signal.
    detached: true,
  });
  const tail: string[] = [];
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on('line', (text) => {
      tail.push(text);
      if (tail.length > TAIL_LINES) tail.shift();
    });
  }
  let last: Word | null = null;
  child.on('message', (word: Word) => {
    if (word.kind === 'phase') phase(word.text);
    else if (word.kind === 'line') line(word.text);
    else if (word.kind === 'record' || word.kind === 'growth') onFinding(word);
    else last = word;
  });
  const onAbort = (): void => {
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS).unref();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  child.send(order, () => {});
  const outcome = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, killedBy) => resolve(killedBy ?? `exit code ${code}`));
  });
  signal.removeEventListener('abort', onAbort);
  signal.throwIfAborted();
  conclude(last, outcome, tail.join('\n'));
}

function conclude(last: Word | null, outcome: string, tail: string): void {
  if (last?.kind === 'done') return;
  if (last?.kind === 'failed') {
    throw new Failure(last.what, last.next, { tail: last.tail, exitCode: last.exitCode });
  }
  throw new Failure(`The measuring process has ended: ${outcome}.`, 'Its own last lines say why.', { tail });
}
