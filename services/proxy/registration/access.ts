// Which servers may register: how many new ones, from which networks, and with which proof where there is a token.
import type { SetupPacket } from '../../shared/packet.ts';
import { isProof } from '../../shared/proof.ts';
import { blockList, isListed } from '../network/blocks.ts';
import { sourceOf } from '../network/sources.ts';
import type { ProxyOptions } from '../options.ts';

const WINDOW_MS = 10_000;
// From more addresses than this within a window no more are let in.
const MAX_SOURCES = 65_536;

export type AccessOptions = Pick<ProxyOptions, 'registerToken' | 'registerFrom' | 'maxSetupsPerSource'> & {
  /** Monotonic ms. */
  now: () => number;
  /** A text that can't be guessed, another one at each call. */
  nonce: () => string;
};

export type Admission =
  | { kind: 'admitted' }
  /** The server has to send its setup packet again, with the proof for this nonce. */
  | { kind: 'challenged'; nonce: string }
  | { kind: 'refused'; sentence: string };

const NEEDS_TOKEN =
  "This proxy asks for a token: start the server with --register-token-file FILE (the cluster's is .secrets/register-token). " +
  "A server that can't prove a token may register if the proxy is started without one: REGISTER_TOKEN_FILE= npm start.";

/**
 * Makes a function that says whether a host may be a server's: `known` when `--register-from` lists it, `excluded` when it
 * lists others.
 * @throws UsageError when a network is neither an address nor a CIDR block
 */
export function standings(
  registerFrom: readonly string[],
): (host: string) => 'known' | 'unknown' | 'excluded' {
  if (registerFrom.length === 0) return () => 'unknown';
  const networks = blockList('--register-from', registerFrom);
  return (host) => (isListed(networks, host) ? 'known' : 'excluded');
}

export class RegistrationAccess {
  readonly #options: AccessOptions;
  readonly #standingOf: ReturnType<typeof standings>;
  readonly #nonces = new WeakMap<object, string>();
  readonly #setups = new Map<string, number>();
  #windowEndsMs = 0;

  /** @throws UsageError when a network is neither an address nor a CIDR block */
  constructor(options: AccessOptions) {
    this.#options = options;
    this.#standingOf = standings(options.registerFrom);
  }

  /**
   * Whether a server may register.
   * @param connection what the packet came over: a nonce is good for one proof on the connection that it was sent over
   * @param host       the connection's remote address
   */
  check(connection: object, host: string, packet: SetupPacket): Admission {
    if (this.#standingOf(host) === 'excluded') {
      return refused(`Servers may not register from ${host}: the proxy's --register-from does not list it.`);
    }
    return this.#checkProof(connection, packet);
  }

  /**
   * Counts one that puts a new entry into the table: that is what lasts, with a probe, events and the end of whatever stood
   * there. What is refused, what a token is still asked for and what only refreshes an entry costs no more than any other
   * packet, and counting it would punish a server that tries again: after a freeze or a restart of the proxy all do.
   * @returns why there are too many from this address; null when there are not
   */
  countNew(host: string): string | null {
    const { maxSetupsPerSource, now } = this.#options;
    if (maxSetupsPerSource === 0) return null;
    const nowMs = now();
    if (nowMs >= this.#windowEndsMs) {
      this.#windowEndsMs = nowMs + WINDOW_MS;
      this.#setups.clear();
    }
    const source = sourceOf(host);
    const setups = (this.#setups.get(source) ?? 0) + 1;
    const hasPlace = setups > 1 || this.#setups.size < MAX_SOURCES;
    if (hasPlace) this.#setups.set(source, setups);
    return setups > maxSetupsPerSource || !hasPlace
      ? `More than ${maxSetupsPerSource} new servers from ${source} in 10 s, or from too many addresses: wait, or raise the proxy's --max-setups-per-source.`
      : null;
  }

  #checkProof(connection: object, packet: SetupPacket): Admission {
    const { registerToken: token, nonce } = this.#options;
    if (token === null) return { kind: 'admitted' };
    const challenge = this.#nonces.get(connection);
    this.#nonces.delete(connection);
    if (packet.proof !== null) {
      if (challenge === undefined)
        return refused('The proof is for no challenge: ask for one, and use it once.');
      return isProof(packet.proof, token, challenge, packet)
        ? { kind: 'admitted' }
        : refused("The proof is wrong: give the server the proxy's own --register-token-file.");
    }
    if (!packet.canProve) return refused(NEEDS_TOKEN);
    const next = nonce();
    this.#nonces.set(connection, next);
    return { kind: 'challenged', nonce: next };
  }
}

function refused(sentence: string): Admission {
  return { kind: 'refused', sentence };
}
