// TLS: which files it takes, and what its errors mean. Loads node:tls only where TLS is asked for.
import type { KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, isIP, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { callerPath, given, UsageError } from './config.ts';

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
    describe: 'PEM file of an authority: peers have to show a certificate of it',
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
  const own = readOwn('tls', values);
  const clientCa = readAuthority('--tls-client-ca', values['tls-client-ca']);
  if (own !== null) return { ...own, clientCa };
  if (clientCa === null) return null;
  throw new UsageError(
    '--tls-client-ca says nothing without --tls-cert and --tls-key: "npm run certs" makes some for trying out.',
  );
}

/**
 * What the options of `dialTlsOptions` came to; null without TLS.
 * @throws UsageError when a file is missing or no good, or when they are given without TLS
 */
export function readDialTls(prefix: string, values: Record<string, unknown>): DialTls | null {
  const ca = readAuthority(`--${prefix}-ca`, values[`${prefix}-ca`]);
  const own = readOwn(prefix, values);
  const name = given(`--${prefix}-name`, values[`${prefix}-name`]);
  if (values[prefix] === true) return { ca, name, cert: own?.cert ?? null, key: own?.key ?? null };
  if (ca === null && own === null && name === null) return null;
  throw new UsageError(`--${prefix}-ca, -name, -cert and -key say nothing without --${prefix}: add it.`);
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
  const expected = tls.name ?? name;
  return loadTls()
    .connect({
      host,
      port,
      ...(tls.ca === null ? {} : { ca: tls.ca }),
      ...(tls.cert === null || tls.key === null ? {} : { cert: tls.cert, key: tls.key }),
      // An address can't be asked for by name (RFC 6066), but a certificate can be for one.
      ...(isIP(expected) === 0 ? { servername: expected } : {}),
      checkServerIdentity: (_dialled, certificate) => loadTls().checkServerIdentity(expected, certificate),
      // Whatever the environment says.
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
    })
    .setNoDelay(true);
}

/**
 * Connects, plainly or over TLS.
 * @param name   what the certificate must be for, unless `tls.name` says otherwise
 * @param onOpen it stands, and over TLS the other side is who it has to be
 */
export function dial(
  host: string,
  port: number,
  tls: DialTls | null,
  name: string,
  onOpen: () => void,
): Socket {
  return tls === null
    ? connect({ host, port, noDelay: true }, onOpen)
    : dialTls(host, port, tls, name).on('secureConnect', onOpen);
}

/**
 * What a TLS error means, as a clause about the peer ("its certificate has expired"); null when it is about
 * something else than TLS.
 */
export function explainTls(error: { code?: string | undefined; host?: string | undefined }): string | null {
  const { code = '', host } = error;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `its certificate is for another name than ${host ?? 'expected'}`;
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
  ERR_TLS_HANDSHAKE_TIMEOUT: 'it left, or did not finish its TLS handshake in time',
};

function readOwn(prefix: string, values: Record<string, unknown>): { cert: string; key: string } | null {
  const [certOption, keyOption] = [`--${prefix}-cert`, `--${prefix}-key`];
  const certFile = given(certOption, values[`${prefix}-cert`]);
  const keyFile = given(keyOption, values[`${prefix}-key`]);
  if (certFile === null && keyFile === null) return null;
  if (certFile === null || keyFile === null) {
    throw new UsageError(
      `${certOption} and ${keyOption} belong together: give both. "npm run certs" makes some for trying out.`,
    );
  }
  const cert = readPem(certOption, certFile);
  const [own] = certificatesIn(certOption, certFile, cert) as [X509Certificate];
  const key = readPem(keyOption, keyFile);
  if (!own.checkPrivateKey(parseKey(keyOption, keyFile, key))) {
    throw new UsageError(`${keyOption}: ${keyFile} is not the key of the certificate in ${certFile}.`);
  }
  requireValid(certOption, certFile, own);
  return { cert, key };
}

function readAuthority(option: string, value: unknown): string | null {
  const file = given(option, value);
  if (file === null) return null;
  const text = readPem(option, file);
  const authorities = certificatesIn(option, file, text);
  for (const authority of authorities) requireValid(option, file, authority);
  if (authorities.some(({ ca }) => ca)) return text;
  throw new UsageError(
    `${option}: ${file} holds no certificate of an authority, only one that an authority has issued.`,
  );
}

function readPem(option: string, file: string): string {
  try {
    return readFileSync(callerPath(file), 'utf8');
  } catch (error) {
    throw new UsageError(`${option}: ${file} can't be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

// An empty file would mean the system's authorities to OpenSSL, and rubbish none at all.
function certificatesIn(option: string, file: string, text: string): X509Certificate[] {
  const { X509Certificate } = process.getBuiltinModule('node:crypto');
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    if (blocks.length > 0) return blocks.map((block) => new X509Certificate(block));
  } catch {}
  throw new UsageError(`${option}: ${file} holds no certificate in PEM.`);
}

function parseKey(option: string, file: string, text: string): KeyObject {
  try {
    return process.getBuiltinModule('node:crypto').createPrivateKey(text);
  } catch (error) {
    const isLocked =
      (error as NodeJS.ErrnoException).code === 'ERR_MISSING_PASSPHRASE' || text.includes('ENCRYPTED');
    throw new UsageError(
      isLocked
        ? `${option}: the key in ${file} has a passphrase: take one without.`
        : `${option}: ${file} holds no private key in PEM.`,
    );
  }
}

function requireValid(option: string, file: string, { validTo }: X509Certificate): void {
  if (Date.parse(validTo) >= Date.now()) return;
  throw new UsageError(`${option}: the certificate in ${file} has expired on ${validTo}: renew it.`);
}
