// pure · a setup packet that came over a connection: who is registered, and whose lease the connection is from now on.
// Must never end the connection that is being answered: its reply is still to be sent.
import { addressOf } from '../../shared/address-text.ts';
import { formatChallenge, type SetupPacket } from '../../shared/packet.ts';
import type { ClientConnection } from '../clients/client-connection.ts';
import type { RegistrationAccess } from './access.ts';
import { type RegistrationResult, type Registry, refused } from './registry.ts';
import type { Sessions } from './sessions.ts';

export type Registrars = {
  access: RegistrationAccess;
  registry: Registry;
  sessions: Sessions;
  /** Where the proxy itself listens: its port, and whether on every address of this machine. */
  own: { port: () => number; isEverywhere: boolean };
};

/**
 * Registers a server over `connection`, which may be another server's lease already: a refused registration, or one
 * without a session, leaves it that, as long as that server is in the table.
 * @returns the server, or null when it was refused or has to prove the token first, with the line to answer
 */
export function registerOver(
  connection: ClientConnection,
  packet: SetupPacket,
  { access, registry, sessions, own }: Registrars,
): RegistrationResult {
  const host = connection.remoteHost;
  // A connection that its peer has reset has no address any more, and '' would mean this machine.
  if (host === '') return refused(packet, 'The connection was gone before it was read: register again.');
  if (isOwnAddress(connection, packet, own)) {
    const address = addressOf(host, packet.listenPort);
    return refused(packet, `${address} is this proxy itself: send the port that the server listens on.`);
  }
  const admission = access.check(connection, host, packet);
  if (admission.kind === 'refused') return refused(packet, admission.sentence);
  if (admission.kind === 'challenged')
    return { upstream: null, refusal: null, reply: formatChallenge(admission.nonce) };
  const tooMany = registry.isRefresh(packet, host) ? null : access.countNew(host);
  if (tooMany !== null) return refused(packet, tooMany);
  const before = sessions.release(connection);
  const result = registry.register(packet, host);
  if (result.upstream !== null && packet.hasSession) sessions.open(connection, result.upstream);
  else if (before !== null && registry.has(before)) sessions.open(connection, before);
  return result;
}

// A proxy that is its own server would hand each request to itself, again and again.
function isOwnAddress(
  { remoteHost, localHost }: ClientConnection,
  { listenPort }: SetupPacket,
  { port, isEverywhere }: Registrars['own'],
): boolean {
  if (listenPort !== port()) return false;
  return remoteHost === localHost || (isEverywhere && isLoopback(remoteHost));
}

function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.');
}

/** Whether listening on `host` means every address of this machine. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
