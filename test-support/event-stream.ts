// The proxy's events as a test reads them, over HTTP.
import type { ClusterEvent, EventType } from '../services/proxy/status/events.ts';
import { PATIENCE_MS, within } from './peers.ts';

/** Reads server-sent events; each call returns the next one. */
export function readEvents(response: Response): () => Promise<ClusterEvent> {
  const reader = (response.body as ReadableStream<Uint8Array>)
    .pipeThrough(new TextDecoderStream())
    .getReader();
  let text = '';
  return async () => {
    while (true) {
      const match = /data: (.*)\n\n/.exec(text);
      if (match !== null) {
        text = text.slice(match.index + match[0].length);
        return JSON.parse(match[1] as string) as ClusterEvent;
      }
      const { value, done } = await reader.read();
      if (done) throw new Error(`the stream ended after: ${text}`);
      text += value;
    }
  };
}

export type EventWatch = {
  /** Every event so far, the replayed ones included. */
  readonly events: ClusterEvent[];
  /** The first event of these types about the server that happened after `afterMs` (Unix epoch). */
  next(types: readonly EventType[], id: string, afterMs: number, timeoutMs?: number): Promise<ClusterEvent>;
  close(): void;
};

/** Follows a proxy's events until `close` or until the proxy goes. */
export async function watchEvents(adminUrl: string): Promise<EventWatch> {
  const ending = new AbortController();
  const events: ClusterEvent[] = [];
  const lookers = new Set<() => void>();
  const read = readEvents(await fetch(`${adminUrl}/api/events`, { signal: ending.signal }));
  void (async () => {
    while (true) {
      events.push(await read());
      for (const look of lookers) look();
    }
  })().catch(() => {});
  return {
    events,
    next: (types, id, afterMs, timeoutMs = PATIENCE_MS) => {
      let look = (): void => {};
      const found = new Promise<ClusterEvent>((resolve) => {
        look = () => {
          const event = events.find(
            (one) => types.includes(one.type) && String(one.id) === id && one.atMs >= afterMs,
          );
          if (event !== undefined) resolve(event);
        };
        lookers.add(look);
        look();
      });
      return within(found, timeoutMs, `${types.join(' or ')} of server ${id}`).finally(() =>
        lookers.delete(look),
      );
    },
    close: () => ending.abort(),
  };
}
