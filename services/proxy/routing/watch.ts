// What may look on at requests from the start on, each step of them in its own thread: called on the data path, and only where
// somebody does. Who comes and goes, and wants to know of all threads how requests end, uses `Traffic.watch`.
import type { ErrorCode } from '../../shared/error-codes.ts';
import type { Id } from '../../shared/packet.ts';
import type { FailureKind } from '../servers/failure.ts';
import type { Upstream } from '../servers/upstream.ts';
import type { Request, TriedServer } from './request.ts';

/** Whom a refusal is for, as far as it is known. */
export type Addressee = { clientId?: Id | undefined; policy?: string | undefined };

export type RequestWatch = {
  /** It is about to be handed to a server, `request.upstream` being the one before: null at the first time. */
  onAttempt(request: Request, upstream: Upstream, nowMs: number): void;
  /** A server that it was handed to will not answer it. */
  onAttemptFailed(request: Request, upstream: Upstream, failure: FailureKind): void;
  /** `server` has answered it, `tookMs` after it came. */
  onAnswered(request: Request, server: TriedServer, tookMs: number): void;
  /** `trace` is the id in the refusal. */
  onRefused(request: Request, code: ErrorCode, trace: string): void;
  /** Its client has gone, and nobody waits for its reply. */
  onAbandoned(request: Request): void;
  /** What is refused is no request: a packet, a registration, a connection. */
  onPacketRefused(whom: Addressee, code: ErrorCode, trace: string): void;
};

/** One that has each of `watches` look on; null when there is none. */
export function joinWatches(watches: readonly RequestWatch[]): RequestWatch | null {
  const [first = null, ...others] = watches;
  if (others.length === 0) return first;
  const all = <Name extends keyof RequestWatch>(name: Name) =>
    ((...args: Parameters<RequestWatch[Name]>) => {
      for (const watch of watches) (watch[name] as (...args: unknown[]) => void)(...args);
    }) as RequestWatch[Name];
  return {
    onAttempt: all('onAttempt'),
    onAttemptFailed: all('onAttemptFailed'),
    onAnswered: all('onAnswered'),
    onRefused: all('onRefused'),
    onAbandoned: all('onAbandoned'),
    onPacketRefused: all('onPacketRefused'),
  };
}
