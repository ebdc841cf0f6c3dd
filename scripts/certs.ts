// `npm run certs`: a throw-away authority and certificates of it, for trying TLS out.
// Must never leave a key where others on this machine can read it.
import { rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { hideBin } from 'yargs/helpers';
import { callerPath, commandLine, requireWhole, runMain, UsageError } from '../services/shared/config.ts';
import { Authority, type Subject } from './certs/authority.ts';
import { makeFolder } from './kit/make-folder.ts';

const DAY_MS = 86_400_000;
const LOOPBACK = ['localhost', '127.0.0.1', '::1'];
/** Who gets a certificate, and the names that it is for. */
const SUBJECTS: Record<string, readonly string[]> = {
  proxy: ['proxy', ...LOOPBACK],
  server: ['policy-server', ...LOOPBACK],
  client: ['client'],
};

await runMain('npm run certs --', async () => {
  const { dir, days } = commandLine(hideBin(process.argv), 'npm run certs --')
    .usage(
      '$0\n\nMakes an authority that forgets its key, and certificates of it for a proxy, a server and a client.',
    )
    .options({
      dir: {
        type: 'string',
        default: 'certs',
        describe: 'folder for the files; those of the last time are replaced',
      },
      days: { type: 'number', default: 30, describe: 'how long they are good' },
    })
    .epilogue(
      "Files: ca.pem, and proxy, server and client as NAME.pem and NAME-key.pem. The proxy's is for the names proxy and localhost,\n" +
        "the server's for policy-server and localhost, both for 127.0.0.1 and ::1. Exit codes: 0 made, 2 bad usage.",
    )
    .demandCommand(0, 0)
    .parseSync();
  if (dir === '') throw new UsageError('--dir is empty: name a folder.');
  const folder = callerPath(dir);
  const notAfter = new Date(Date.now() + requireWhole('--days', days, 1, 3650) * DAY_MS);
  const authority = await Authority.create('policy-proxy, for trying out', notAfter);
  const files: [name: string, text: string, mode: number][] = [['ca.pem', authority.cert, 0o644]];
  for (const [name, hosts] of Object.entries(SUBJECTS)) {
    const subject: Subject = { name, hosts, notAfter };
    const { cert, key } = await authority.issue(subject);
    files.push([`${name}.pem`, cert, 0o644], [`${name}-key.pem`, key, 0o600]);
  }
  try {
    await makeFolder(folder);
    for (const [name, text, mode] of files) {
      const file = join(folder, name);
      // A file that is there keeps its mode.
      await rm(file, { force: true });
      await writeFile(file, text, { mode, flag: 'wx' });
    }
  } catch (error) {
    throw new UsageError(`--dir ${dir} can't be written (${(error as NodeJS.ErrnoException).code}).`);
  }
  console.log(hints(relative(process.cwd(), folder) || '.', notAfter));
});

function hints(folder: string, notAfter: Date): string {
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
and --upstream-tls-key. The authority's own key was never written.`;
}
