// A setup packet that came over a connection: which server is registered, and whose lease the connection is from now on.
import { isLoopback } from '../../shared/addresses.ts';
import type { LimitedLog } from '../../shared/log.ts';
import { formatChallenge, formatError, formatRegistered, type SetupPacket } from '../../shared/packet.ts';
import { addressOf } from '../../shared/printable.ts';
import type { RegistrationResult } from '../metrics/control.ts';
import type { Addressee } from '../routing/watch.ts';
import type { LeaseConnection, Upstream } from '../servers/upstream.ts';
import type { RegistrationAccess } from './access.ts';
import type { Registry } from './registry.ts';
import type { Sessions } from './sessions.ts';

export type RegistrarOptions = {
  access: RegistrationAccess;
  registry: Registry;
  sessions: Sessions;
  /** Names this start of the proxy: a server that meets it at two addresses knows that it is one. */
  boot: string;
  ownPort: () => number;
  /** The proxy listens on every address of this machine. */
  isEverywhere: boolean;
  /** Notes a refusal, and gives the id for it. */
  onRefusal: (code: 'REGISTRATION_REFUSED' | 'SHUTTING_DOWN', whom: Addressee) => string;
  /** Called once for each setup packet. */
  onResult: (result: RegistrationResult) => void;
  log: LimitedLog;
};

/** A connection that a server may register over. */
export type RegisteringConnection = LeaseConnection & {
  readonly remoteHost: string;
  /** Which of our own addresses the peer has connected to. */
  readonly localHost: string;
};

export class Registrar {
  readonly #options: RegistrarOptions;
  #isDraining = false;

  constructor(options: RegistrarOptions) {
    this.#options = options;
  }

  /** From now on every setup packet is refused with SHUTTING_DOWN. */
  drain(): void {
    this.#isDraining = true;
  }

  /**
   * Registers a server over `connection`, which may be another server's lease already: a refused registration, or one
   * without a session, leaves it that, as long as that server is in the table.
   * @returns the line to answer with
   */
  register(connection: RegisteringConnection, packet: SetupPacket): string {
    const { access, registry, sessions, boot, onRefusal, onResult } = this.#options;
    if (this.#isDraining) {
      const trace = onRefusal('SHUTTING_DOWN', { clientId: packet.id, policy: packet.policy });
      onResult('refused');
      const sentence = 'The proxy is shutting down: register again in a few seconds.';
      return formatError('SHUTTING_DOWN', sentence, { trace });
    }
    // Not even looked at again: its address here may be another one, and it would replace itself.
    if (packet.sessionsWith.includes(boot) && registry.hasSession(packet)) {
      onResult('refreshed');
      return formatRegistered(packet.id, packet.policyAsWritten, boot, 'known');
    }
    const host = connection.remoteHost;
    // A connection that its peer has reset has no address any more, and '' would mean this machine.
    if (host === '')
      return this.#refuse(packet, host, 'The connection was gone before it was read: register again.');
    if (this.#isOwnAddress(connection, packet)) {
      const address = addressOf(host, packet.listenPort);
      const sentence = `${address} is this proxy itself: send the port that the server listens on.`;
      return this.#refuse(packet, host, sentence);
    }
    const admission = access.check(connection, host, packet);
    if (admission.kind === 'refused') return this.#refuse(packet, host, admission.sentence);
    if (admission.kind === 'challenged') {
      onResult('challenged');
      return formatChallenge(admission.nonce);
    }
    const isRefresh = registry.isRefresh(packet, host);
    const tooMany = isRefresh ? null : access.countNew(host);
    if (tooMany !== null) return this.#refuse(packet, host, tooMany);
    const before = sessions.release(connection);
    const result = registry.register(packet, host);
    const isRefused = typeof result === 'string';
    const lessee: Upstream | null = !isRefused && packet.hasSession ? result : before;
    if (lessee !== null && registry.has(lessee)) sessions.open(connection, lessee);
    if (isRefused) return this.#refuse(packet, host, result);
    onResult(isRefresh ? 'refreshed' : 'registered');
    return formatRegistered(packet.id, packet.policyAsWritten, boot);
  }

  #refuse({ id, policy }: SetupPacket, from: string, sentence: string): string {
    const trace = this.#options.onRefusal('REGISTRATION_REFUSED', { clientId: id, policy });
    this.#options.onResult('refused');
    const message = 'registration refused';
    this.#options.log.write({ level: 'warn', message, id, policy, from, trace, why: sentence });
    return formatError('REGISTRATION_REFUSED', sentence, { clientId: id, policy, trace });
  }

  // A proxy that is its own server would hand each request to itself, again and again.
  #isOwnAddress({ remoteHost, localHost }: RegisteringConnection, { listenPort }: SetupPacket): boolean {
    const { ownPort, isEverywhere } = this.#options;
    if (listenPort !== ownPort()) return false;
    return remoteHost === localHost || (isEverywhere && isLoopback(remoteHost));
  }
}
