// shell · a worker process's side of the calls that its owner makes.
// Must never outlive the owner: when the channel closes, the worker ends.

/** Names of calls, with what goes in and what comes back. */
export type Calls = Record<string, { argument: object; reply: object }>;

export type CallMessage = { number: number; call: string; argument: object };
export type ReplyMessage = { number: number; reply: object } | { number: number; failure: string };

export type Handlers<C extends Calls> = {
  [Name in keyof C]: (argument: C[Name]['argument']) => Promise<C[Name]['reply']> | C[Name]['reply'];
};

/** Answers every call until the owner is gone. */
export function answerCalls<C extends Calls>(handlers: Handlers<C>): void {
  const reply = (message: ReplyMessage): void => {
    // The owner may be gone already: then `disconnect` follows.
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  };
  process.on('message', async ({ number, call, argument }: CallMessage) => {
    try {
      const handler = handlers[call];
      if (handler === undefined) throw new Error(`there is no call "${call}"`);
      reply({ number, reply: await handler(argument) });
    } catch (error) {
      reply({ number, failure: error instanceof Error ? error.message : String(error) });
    }
  });
  process.on('disconnect', () => process.exit(0));
}
