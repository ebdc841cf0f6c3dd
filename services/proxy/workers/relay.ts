// Registrations and sessions between a worker, which has the connections, and the keeper, which decides.
import type { ClientConnection, PacketHandlers } from '../clients/client-connection.ts';
import type { RegisteringConnection } from '../registration/registrar.ts';
import type { ConnectionRef, ToKeeper, ToWorker } from './messages.ts';

type Relayed = {
  ref: ConnectionRef;
  connection: ClientConnection;
  hasSession: boolean;
  /** Takes the answer to a setup packet; null when there is none to come. The connection takes nothing else before. */
  answer: ((line: string) => void) | null;
};

/** Of a worker: passes on what comes over connections on which a setup packet has come. */
export class Relay {
  readonly #post: (message: ToKeeper) => void;
  readonly #byConnection = new Map<ClientConnection, Relayed>();
  readonly #byRef = new Map<ConnectionRef, Relayed>();
  #lastRef = 0;

  constructor(post: (message: ToKeeper) => void) {
    this.#post = post;
  }

  readonly registrar: PacketHandlers['registrar'] & { drain(): void } = {
    register: (connection, packet, answer) => {
      const relayed = this.#byConnection.get(connection) ?? this.#add(connection);
      relayed.answer = answer;
      const { remoteHost: from, localHost: to, lastHeardMs: heardMs } = connection;
      this.#post({ kind: 'setup', connection: relayed.ref, from, to, packet, heardMs });
    },
    drain: () => this.#post({ kind: 'draining' }),
  };

  readonly sessions: PacketHandlers['sessions'] & { announceStop(): void; closeAll(): void } = {
    onPacket: (connection, packet) => {
      const relayed = this.#byConnection.get(connection as ClientConnection);
      if (relayed?.hasSession !== true) return false;
      const heardMs = connection.lastHeardMs;
      this.#post({ kind: 'session-packet', connection: relayed.ref, packet, heardMs });
      return true;
    },
    onEnded: (connection) => {
      const relayed = this.#byConnection.get(connection as ClientConnection);
      if (relayed === undefined) return;
      this.#byConnection.delete(relayed.connection);
      // A peer that has said all it wanted still gets its answer.
      if (relayed.answer === null) this.#byRef.delete(relayed.ref);
      this.#post({ kind: 'ended', connection: relayed.ref });
    },
    has: (connection) => this.#byConnection.get(connection as ClientConnection)?.hasSession === true,
    // The keeper does so by itself.
    announceStop: () => {},
    closeAll: () => this.#post({ kind: 'closing' }),
  };

  /** Does what the keeper says about a connection; fine when that is gone. */
  receive(message: ToWorker & { kind: 'answer' | 'send' | 'close' }): void {
    const relayed = this.#byRef.get(message.connection);
    if (relayed === undefined) return;
    const { connection, answer } = relayed;
    if (message.kind === 'answer') {
      relayed.hasSession = message.hasSession;
      relayed.answer = null;
      answer?.(message.line);
      if (!this.#byConnection.has(connection)) this.#byRef.delete(message.connection);
    } else if (message.kind === 'send') connection.send(message.line);
    else if (message.how === 'when-idle') connection.closeWhenIdle();
    else connection.destroy();
  }

  #add(connection: ClientConnection): Relayed {
    this.#lastRef += 1;
    const relayed = { ref: this.#lastRef, connection, hasSession: false, answer: null };
    this.#byConnection.set(connection, relayed);
    this.#byRef.set(relayed.ref, relayed);
    return relayed;
  }
}

/** Of the keeper: a worker's connection. */
export class RelayedConnection implements RegisteringConnection {
  readonly remoteHost: string;
  readonly localHost: string;
  /** When something came on it that the keeper was told of, monotonic ms. */
  lastHeardMs: number;
  readonly #ref: ConnectionRef;
  readonly #post: (message: ToWorker) => void;

  constructor(
    { connection, from, to, heardMs }: ToKeeper & { kind: 'setup' },
    post: (message: ToWorker) => void,
  ) {
    this.remoteHost = from;
    this.localHost = to;
    this.lastHeardMs = heardMs;
    this.#ref = connection;
    this.#post = post;
  }

  send(line: string): void {
    this.#post({ kind: 'send', connection: this.#ref, line });
  }

  closeWhenIdle(): void {
    this.#post({ kind: 'close', connection: this.#ref, how: 'when-idle' });
  }

  destroy(): void {
    this.#post({ kind: 'close', connection: this.#ref, how: 'at-once' });
  }
}
