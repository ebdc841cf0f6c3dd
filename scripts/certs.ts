// `npm run certs`: a throw-away authority and certificates of it, for trying TLS out. Its own key is never written.
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { chmod, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join, relative } from 'node:path';
import * as x509 from '@peculiar/x509';
import { hideBin } from 'yargs/helpers';
import { callerPath, commandLine, requireWhole, runMain, UsageError } from '../services/shared/config.ts';

const DEFAULT_FOLDER = 'certs';
const DAY_MS = 86_400_000;
const LOOPBACK = ['localhost', '127.0.0.1', '::1'];
/** Who gets a certificate, and the names that it is for. */
const SUBJECTS: Record<string, readonly string[]> = {
  proxy: ['proxy', ...LOOPBACK],
  server: ['policy-server', ...LOOPBACK],
  client: ['client'],
};

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const SERIAL_BYTES = 16;
// Clocks differ.
const EARLIER_MS = 300_000;

async function main(): Promise<void> {
  const { dir, days } = commandLine(hideBin(process.argv), 'npm run certs')
    .usage(
      '$0 -- [OPTIONS]\n\nCreates a throw-away certificate authority, whose key is not saved, and certificates of it for a proxy, a server and a client.',
    )
    .options({
      dir: {
        type: 'string',
        default: DEFAULT_FOLDER,
        describe: 'folder for the files; those of the last time are replaced',
      },
      days: { type: 'number', default: 30, describe: 'how long they are good' },
    })
    .epilogue(
      "Files: ca.pem, and proxy, server and client as NAME.pem and NAME-key.pem. The proxy's is for the names proxy and localhost, " +
        "the server's for policy-server and localhost, both for 127.0.0.1 and ::1. Exit codes: 0 made, 2 bad usage.",
    )
    .parseSync();
  if (dir === '') throw new UsageError('--dir is empty: name a folder.');
  const folder = callerPath(dir);
  const notAfter = new Date(Date.now() + requireWhole('--days', days, 1, 3650) * DAY_MS);
  const authority = await Authority.create('policy-proxy, for trying out', notAfter);
  const files: [name: string, text: string, isKey: boolean][] = [['ca.pem', authority.cert, false]];
  for (const [name, hosts] of Object.entries(SUBJECTS)) {
    const subject: Subject = { name, hosts, notAfter };
    const { cert, key } = await authority.issue(subject);
    files.push([`${name}.pem`, cert, false], [`${name}-key.pem`, key, true]);
  }
  try {
    const isNew = (await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined;
    // The folder of the last time: it holds nothing but these files.
    if (!isNew && dir === DEFAULT_FOLDER) await chmod(folder, 0o700);
    // Containers run as another user, and read a key that is mounted alone, from a folder that others can't enter.
    const keyMode = ((await stat(folder)).mode & 0o077) === 0 ? 0o444 : 0o400;
    for (const [name, text, isKey] of files) {
      const file = join(folder, name);
      // A file that is there would keep its mode.
      await rm(file, { force: true });
      await writeFile(file, text, { mode: 0o400, flag: 'wx' });
      await chmod(file, isKey ? keyMode : 0o444);
    }
  } catch (error) {
    throw new UsageError(`--dir ${dir} can't be written (${(error as NodeJS.ErrnoException).code}).`);
  }
  console.log(usage(relative(process.cwd(), folder) || '.', notAfter));
}

function usage(folder: string, notAfter: Date): string {
  const at = (name: string): string => join(folder, name);
  return `ca.pem, and proxy, server and client with their keys, are in ${folder}, good until ${notAfter.toISOString().slice(0, 10)}.
Try, each in a terminal of its own:

  npm run proxy -- 11000 --admin-port 11080 --tls-cert ${at('proxy.pem')} --tls-key ${at('proxy-key.pem')} \\
    --upstream-tls --upstream-tls-ca ${at('ca.pem')} --upstream-tls-name policy-server
  npm run server -- 1 1 11001 --proxy 127.0.0.1:11000 --proxy-tls --proxy-tls-ca ${at('ca.pem')} \\
    --tls-cert ${at('server.pem')} --tls-key ${at('server-key.pem')}
  npm run client -- client_packet_1.json --proxy 127.0.0.1:11000 --tls --tls-ca ${at('ca.pem')}

Client certificates: add --tls-client-ca ${at('ca.pem')} to the proxy, --proxy-tls-cert and --proxy-tls-key to the
server, --tls-cert and --tls-key to the client. A server with --tls-client-ca asks the proxy for --upstream-tls-cert
and --upstream-tls-key. The authority's own key was never written.

The cluster over TLS:${folder === DEFAULT_FOLDER ? '' : ` CERTS=./${folder}`} COMPOSE_FILE=docker-compose.yml:docker-compose.tls.yml npm start`;
}

/** A certificate and its key, as PEM texts. */
export type Pem = { cert: string; key: string };

export type Subject = {
  /** The common name. */
  name: string;
  /** Names and addresses that it is for. */
  hosts: readonly string[];
  notBefore?: Date;
  notAfter: Date;
};

export class Authority {
  readonly #certificate: x509.X509Certificate;
  readonly #keys: webcrypto.CryptoKeyPair;

  private constructor(certificate: x509.X509Certificate, keys: webcrypto.CryptoKeyPair) {
    this.#certificate = certificate;
    this.#keys = keys;
  }

  /** Makes a new authority. */
  static async create(name: string, notAfter: Date): Promise<Authority> {
    const keys = await makeKeys();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serialNumber(),
      name: `CN=${name}`,
      notBefore: new Date(Date.now() - EARLIER_MS),
      notAfter,
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new Authority(certificate, keys);
  }

  /** Its own certificate, as a PEM text: what others have to trust. */
  get cert(): string {
    return `${this.#certificate.toString('pem')}\n`;
  }

  /** A certificate for servers and clients alike, with a key of its own. */
  async issue({ name, hosts, notBefore, notAfter }: Subject): Promise<Pem> {
    const keys = await makeKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: `CN=${name}`,
      issuer: this.#certificate.subject,
      notBefore: notBefore ?? new Date(Date.now() - EARLIER_MS),
      notAfter,
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.serverAuth,
          x509.ExtendedKeyUsage.clientAuth,
        ]),
        new x509.SubjectAlternativeNameExtension(
          hosts.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
        ),
        await x509.AuthorityKeyIdentifierExtension.create(this.#certificate),
      ],
    });
    const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
    return {
      cert: `${certificate.toString('pem')}\n`,
      key: `${x509.PemConverter.encode(key, 'PRIVATE KEY')}\n`,
    };
  }
}

async function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}

function serialNumber(): string {
  const bytes = randomBytes(SERIAL_BYTES);
  // RFC 5280: positive, and no longer than it has to be.
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

// Tests import the authority alone.
if (process.argv[1] === import.meta.filename) await runMain('npm run certs --', main);
