// How the proxy stops: refuses what is new, finishes what is in flight, then closes everything.
import type { Clock } from '../../shared/clock.ts';
import type { Listener } from '../clients/listener.ts';
import type { Registrar } from '../registration/registrar.ts';
import type { Sessions } from '../registration/sessions.ts';
import type { Forwarder } from '../routing/forwarder.ts';

// Clients that have connected before the port closes still get a refusal; connections wait a moment in the accept queue.
const LAST_ACCEPTS_MS = 50;
// A request may be on its way over a connection that looks idle: for so long it gets a refusal instead of being cut off.
const LAST_REQUESTS_MS = 300;
const LAST_REPLIES_MS = 1000;
const LOOK_EVERY_MS = 20;

// A client that sends more often than this is told by a reply, not cut off between two requests.
const QUIET_MS = 100;

/** What has to be told that the proxy stops. */
export type Stopping = {
  forwarder: Forwarder;
  registrar: Pick<Registrar, 'drain'>;
  sessions: Pick<Sessions, 'announceStop' | 'closeAll'>;
  listener: Listener;
  clock: Clock;
};

/**
 * Goes on serving for `forMs` while everybody is told, and closes quiet connections one after the other, so that their clients
 * do not all come to the other proxies at once. As NATS does in its lame duck mode.
 * @param otherProxies host:port of each
 */
export async function beLameDuck(
  { forwarder, sessions, listener, clock }: Stopping,
  forMs: number,
  otherProxies: readonly string[],
): Promise<void> {
  forwarder.announceStop(otherProxies);
  sessions.announceStop();
  const endsMs = clock.now() + forMs;
  for (let leftMs = forMs; leftMs > 0; leftMs = endsMs - clock.now()) {
    const nowMs = clock.now();
    // After a stall of this process all of them look quiet until what has come meanwhile is read.
    await new Promise<void>((resolve) => clock.soon(resolve));
    listener.closeQuiet(nowMs, QUIET_MS, Math.min(1, LOOK_EVERY_MS / leftMs));
    await clock.sleep(Math.min(LOOK_EVERY_MS, leftMs));
  }
}

/** @param timeoutMs how long open requests may take; resolves when every client connection is closed */
export async function drain(
  { forwarder, registrar, sessions, listener, clock }: Stopping,
  timeoutMs: number,
): Promise<void> {
  forwarder.drain();
  registrar.drain();
  const deadlineMs = clock.now() + timeoutMs;
  await clock.sleep(LAST_ACCEPTS_MS);
  await listener.stopAccepting(deadlineMs);
  await clock.sleep(LAST_REQUESTS_MS);
  while (forwarder.openRequests > 0 && clock.now() < deadlineMs) await clock.sleep(LOOK_EVERY_MS);
  forwarder.refuseOpen();
  sessions.closeAll();
  listener.closeConnections();
  const lastMs = clock.now() + LAST_REPLIES_MS;
  while (listener.connectionCount > 0 && clock.now() < lastMs) await clock.sleep(LOOK_EVERY_MS);
  listener.destroyConnections();
}
