// shell · a worker process of the growth measurements, as its owner sees it: started, called, ended.
// Must never leave one behind, or wait for a reply without a deadline.
import { spawn } from 'node:child_process';
import { Failure } from '../../bootstrap/failure.ts';
import type { CallMessage, Calls, ReplyMessage } from './calls.ts';
import { withManyFiles } from './open-files.ts';

const KILL_AFTER_MS = 2_000;
const MAX_COMPLAINT_CHARS = 2_000;

export type Worker<C extends Calls> = {
  readonly pid: number;
  /** Calls the worker; rejects with its failure, at the deadline, and when it has ended. */
  call<Name extends keyof C & string>(
    name: Name,
    argument: C[Name]['argument'],
    timeoutMs: number,
  ): Promise<C[Name]['reply']>;
  /** Ends it; fine when it has ended already. */
  stop(): Promise<void>;
};

type Pending = { resolve: (reply: object) => void; reject: (error: Error) => void };

/**
 * @param file path of the worker's TypeScript file
 * @param signal ends every wait for a reply; ending the worker is still up to whoever has started it
 */
export function startWorker<C extends Calls>(file: string, signal: AbortSignal): Worker<C> {
  const { command, args } = withManyFiles({ command: process.execPath, args: [file] });
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], detached: true });
  const pending = new Map<number, Pending>();
  let complaint = '';
  let last = 0;
  let isOver = false;
  const ended = new Promise<void>((resolve) => {
    const end = (how: string): void => {
      isOver = true;
      for (const { reject } of pending.values()) reject(gone(how));
      pending.clear();
      resolve();
    };
    child.once('error', (error) => end(error.message));
    // No `close` follows when it is we who disconnect.
    child.once('exit', (code, signal) => end(code === null ? `ended by ${signal}` : `exit code ${code}`));
  });
  const gone = (how: string): Failure =>
    new Failure(`A helper of the measurement has ended: ${how}.`, 'Run it again.', {
      tail: complaint.trim(),
    });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-MAX_COMPLAINT_CHARS);
  });
  child.on('message', (message: ReplyMessage) => {
    const waiting = pending.get(message.number);
    pending.delete(message.number);
    if ('failure' in message) waiting?.reject(new Failure(`${message.failure}.`, 'Run it again.'));
    else waiting?.resolve(message.reply);
  });
  return {
    pid: child.pid ?? 0,
    call: (call, argument, timeoutMs) => {
      if (signal.aborted) return Promise.reject(signal.reason);
      if (isOver) return Promise.reject(gone('before it was called'));
      last += 1;
      const message: CallMessage = { number: last, call, argument };
      const { promise, resolve, reject } = Promise.withResolvers<object>();
      pending.set(message.number, { resolve, reject });
      const timer = setTimeout(() => {
        pending.delete(message.number);
        reject(new Failure(`No reply to "${call}" within ${timeoutMs / 1000} s.`, 'Run it again.'));
      }, timeoutMs);
      const onAbort = (): void => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      child.send(message, (error) => error !== null && reject(gone(error.message)));
      return promise.finally(() => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      });
    },
    stop: async () => {
      if (isOver) return;
      const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
      if (child.connected) child.disconnect();
      else child.kill('SIGTERM');
      await ended;
      clearTimeout(timer);
    },
  };
}
