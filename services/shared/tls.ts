// shell · TLS: which files it takes, and what its errors mean. Loads node:tls only where TLS is asked for.
// Must never let a connection through that could not be verified, or put a key into a message.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { UsageError } from './config.ts';

type Tls = typeof import('node:tls');

/** How a port takes TLS: PEM texts. */
export type ListenTls = {
  cert: string;
  key: string;
  /** Peers have to show a certificate of this authority; null asks for none. */
  clientCa: string | null;
};

/** How a connection is made over TLS: PEM texts. */
export type DialTls = {
  /** Whose certificates are good; null means the authorities that the system trusts. */
  ca: string | null;
  /** The name that the peer's certificate has to be for; null means the host that is dialled. */
  name: string | null;
  /** Our own certificate, for peers that ask for one. */
  cert: string | null;
  key: string | null;
};

/** Options of a port that can take TLS. */
export const LISTEN_TLS_OPTIONS = {
  'tls-cert': { type: 'string', describe: 'PEM file with the certificate of the port; turns TLS on' },
  'tls-key': { type: 'string', describe: 'PEM file with its key' },
  'tls-client-ca': {
    type: 'string',
    describe: 'PEM file of an authority: whoever connects has to show a certificate of it',
  },
} as const;

/**
 * Options of what can dial over TLS: `--tls`, `--tls-ca`, `--tls-name`, `--tls-cert`, `--tls-key` for the prefix `tls`.
 * @param peer who is dialled, for the descriptions
 */
export function dialTlsOptions(
  prefix: string,
  peer: string,
): Record<string, { type: 'boolean' | 'string'; describe: string }> {
  return {
    [prefix]: { type: 'boolean', describe: `connect to ${peer} over TLS` },
    [`${prefix}-ca`]: {
      type: 'string',
      describe: `PEM file of the authority that ${peer} must have a certificate of, in place of the system's`,
    },
    [`${prefix}-name`]: {
      type: 'string',
      describe: 'name that this certificate must be for, in place of the address',
    },
    [`${prefix}-cert`]: {
      type: 'string',
      describe: `PEM file with our own certificate, if ${peer} asks for one`,
    },
    [`${prefix}-key`]: { type: 'string', describe: 'PEM file with its key' },
  };
}

/**
 * What LISTEN_TLS_OPTIONS came to; null without TLS.
 * @throws UsageError when a file is missing or no good
 */
export function readListenTls(values: Record<string, unknown>): ListenTls | null {
  const file = (name: string): string | null => pem(`--${name}`, values[name]);
  const [cert, key, clientCa] = [file('tls-cert'), file('tls-key'), file('tls-client-ca')];
  if (cert === null || key === null) {
    if (cert === null && key === null && clientCa === null) return null;
    throw new UsageError(
      'TLS takes both --tls-cert and --tls-key: "npm run certs" makes some for trying out.',
    );
  }
  requireUsable('--tls-cert, --tls-key and --tls-client-ca', { cert, key, ca: clientCa ?? undefined });
  return { cert, key, clientCa };
}

/**
 * What the options of `dialTlsOptions` came to; null without TLS.
 * @throws UsageError when a file is missing or no good, or when they are given without TLS
 */
export function readDialTls(prefix: string, values: Record<string, unknown>): DialTls | null {
  const file = (name: string): string | null => pem(`--${prefix}-${name}`, values[`${prefix}-${name}`]);
  const [ca, cert, key] = [file('ca'), file('cert'), file('key')];
  const given = values[`${prefix}-name`];
  const name = typeof given === 'string' && given !== '' ? given : null;
  if (values[prefix] !== true) {
    if (ca === null && cert === null && key === null && name === null) return null;
    throw new UsageError(`--${prefix}-ca, -name, -cert and -key say nothing without --${prefix}: add it.`);
  }
  if ((cert === null) !== (key === null)) {
    throw new UsageError(`--${prefix}-cert and --${prefix}-key belong together: give both.`);
  }
  requireUsable(`--${prefix}-ca, --${prefix}-cert and --${prefix}-key`, {
    ca: ca ?? undefined,
    cert: cert ?? undefined,
    key: key ?? undefined,
  });
  return { ca, name, cert, key };
}

/** node:tls, loaded at the first call: a role without TLS starts the sooner. */
export function loadTls(): Tls {
  return process.getBuiltinModule('node:tls');
}

/**
 * Connects over TLS. `secureConnect` says that the peer is who it has to be; anything else ends in `error`.
 * @param host an address, or a name
 * @param name what the certificate must be for, unless `tls.name` says otherwise
 */
export function dialTls(host: string, port: number, tls: DialTls, name: string = host): TLSSocket {
  const { connect } = loadTls();
  const expected = tls.name ?? name;
  return connect({
    host,
    port,
    ...(tls.ca === null ? {} : { ca: tls.ca }),
    ...(tls.cert === null || tls.key === null ? {} : { cert: tls.cert, key: tls.key }),
    // An address can't be asked for by name (RFC 6066), but a certificate can be for one.
    ...(isIP(expected) === 0 ? { servername: expected } : {}),
    checkServerIdentity: (_dialled, certificate) => loadTls().checkServerIdentity(expected, certificate),
    minVersion: 'TLSv1.2',
  }).setNoDelay(true);
}

/**
 * What a TLS error means, as a clause about the peer ("its certificate has expired"); null when it is about
 * something else than TLS.
 */
export function explainTls(error: NodeJS.ErrnoException): string | null {
  const { code = '' } = error;
  const known = EXPLANATIONS[code];
  if (known !== undefined) return known;
  if (/^ERR_SSL_.*ALERT/.test(code)) return 'it refuses our certificate, or our way of TLS';
  return code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS') || code === 'EPROTO'
    ? `TLS failed (${code})`
    : null;
}

const UNKNOWN_CA = 'its certificate is from an authority that is not trusted here';
const NO_TLS = 'it does not speak TLS';
const EXPLANATIONS: Record<string, string> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_CA,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_CA,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_CA,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_CA,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_CA,
  CERT_SIGNATURE_FAILURE: UNKNOWN_CA,
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'it showed no certificate',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'it asks for a certificate of ours',
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  ERR_SSL_HTTP_REQUEST: NO_TLS,
  ERR_SSL_UNEXPECTED_MESSAGE: NO_TLS,
  ERR_TLS_HANDSHAKE_TIMEOUT: 'it did not finish its TLS handshake in time',
};

function pem(option: string, file: unknown): string | null {
  if (typeof file !== 'string' || file === '') return null;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${option}: ${file} can't be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

function requireUsable(names: string, options: SecureContextOptions): void {
  try {
    loadTls().createSecureContext(options);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason =
      code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH' ? 'the key is not that of the certificate' : message;
    throw new UsageError(`${names} can't be used: ${reason}.`);
  }
  const { X509Certificate } = process.getBuiltinModule('node:crypto');
  if (typeof options.cert !== 'string') return;
  const { validTo } = new X509Certificate(options.cert);
  if (Date.parse(validTo) < Date.now()) {
    throw new UsageError(
      `The certificate has expired on ${validTo}, so every peer would refuse it: renew it.`,
    );
  }
}
