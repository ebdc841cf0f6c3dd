// shell · a worker process of the growth measurements, as its owner sees it: started, called, ended.
// Must never leave one behind, or wait for a reply without a deadline.
import { Failure } from '../../kit/failure.ts';
import { startProcess } from '../../kit/process.ts';
import type { CallMessage, Calls, ReplyMessage } from './calls.ts';
import { withManyFiles } from './open-files.ts';

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
 * @throws Failure when it can't be started
 */
export async function startWorker<C extends Calls>(file: string, signal: AbortSignal): Promise<Worker<C>> {
  const { command, args } = withManyFiles({ command: process.execPath, args: [file] });
  const started = await startProcess(command, args, { hasChannel: true });
  const { child } = started;
  const pending = new Map<number, Pending>();
  let last = 0;
  let isOver = false;
  const gone = (how: string): Failure =>
    new Failure(`A helper of the measurement has ended: ${how}.`, 'Run it again.', {
      tail: started.tail().trim(),
    });
  void started.ended.then((how) => {
    isOver = true;
    for (const { reject } of pending.values()) reject(gone(how));
    pending.clear();
  });
  child.on('message', (message: ReplyMessage) => {
    const waiting = pending.get(message.number);
    pending.delete(message.number);
    if ('failure' in message) waiting?.reject(new Failure(`${message.failure}.`, 'Run it again.'));
    else waiting?.resolve(message.reply);
  });
  return {
    pid: started.pid,
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
    stop: () => started.stop(),
  };
}
