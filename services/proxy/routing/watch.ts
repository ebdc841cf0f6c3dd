// What may look on at requests: called on the data path, and only where somebody does.
import type { ErrorCode } from '../../shared/error-codes.ts';
import type { Id } from '../../shared/packet.ts';
import type { Request, TriedServer } from './request.ts';

/** Whom a refusal is for, as far as it is known. */
export type Addressee = { clientId?: Id | undefined; policy?: string | undefined };

export type RequestWatch = {
  /** `server` has answered it, `tookMs` after it came. */
  onAnswered(request: Request, server: TriedServer, tookMs: number): void;
  /** `trace` is the id in the refusal. */
  onRefused(request: Request, code: ErrorCode, trace: string): void;
  /** Its client has gone, and nobody waits for its reply. */
  onAbandoned(request: Request): void;
  /** What is refused is no request: a packet, a registration, a connection. */
  onPacketRefused(whom: Addressee, code: ErrorCode, trace: string): void;
};
