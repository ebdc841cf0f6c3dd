// pure · a setup packet that came over a connection: who is registered, and whose lease the connection is from now on.
// Must never end the connection that is being answered: its reply is still to be sent.
import type { SetupPacket } from '../shared/packet.ts';
import type { ClientConnection } from './client-connection.ts';
import type { RegistrationResult, Registry } from './registry.ts';
import type { Sessions } from './sessions.ts';

/**
 * Registers a server over `connection`, which may be another server's lease already: a refused registration, or one
 * without a session, leaves it that, as long as that server is in the table.
 */
export function registerOver(
  connection: ClientConnection,
  packet: SetupPacket,
  registry: Registry,
  sessions: Sessions,
): RegistrationResult {
  const before = sessions.release(connection);
  const result = registry.register(packet, connection.remoteHost);
  if (result.upstream !== null && packet.hasSession) sessions.open(connection, result.upstream);
  else if (before !== null && registry.has(before)) sessions.open(connection, before);
  return result;
}
