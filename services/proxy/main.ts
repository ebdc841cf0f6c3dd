// `npm run proxy`: command line, log, signals.
import { setDefaultHighWaterMark } from 'node:stream';
import { runMain, UsageError } from '../shared/config.ts';
import { createLog } from '../shared/log.ts';
import { addressOf } from '../shared/printable.ts';
import { onStopSignal } from '../shared/signals.ts';
import { ownVersion } from '../shared/version.ts';
import { HIGH_WATER_BYTES } from './network/accepted-socket.ts';
import { type ProxyOptions, readProxyOptions, settingsOf } from './options.ts';
import { startProxy } from './proxy.ts';

await runMain('npm run proxy --', async () => {
  const options = readProxyOptions(process.argv.slice(2));
  const { log, setLevel } = createLog('proxy', options.logLevel, options.logFormat);
  log({
    level: 'info',
    message: 'starting',
    version: ownVersion(),
    node: process.version,
    ...settingsOf(options),
  });
  // The sockets of TLS take no limit of their own.
  setDefaultHighWaterMark(false, HIGH_WATER_BYTES);
  const proxy = await startProxy(options, log, setLevel).catch((error: NodeJS.ErrnoException) => {
    if (error instanceof UsageError) throw error;
    log({ level: 'error', message: explain(error, options) });
    process.exit(1);
  });
  // Before the line that says that it listens: who has read that may stop it at once.
  onStopSignal((signal) => {
    log({ level: 'info', message: 'shutting down', signal });
    void proxy.stop().then(() => {
      log({ level: 'info', message: 'stopped' });
      process.exit(0);
    });
  });
  const { host, adminHost } = options;
  const status = `http://${addressOf(adminHost, proxy.adminPort)}`;
  log({ level: 'info', message: 'listening', port: proxy.port, host, status, ...protections(options) });
});

// A protection that is believed to be on is seen to be off.
function protections({ tls, upstreamTls, registerToken, registerFrom }: ProxyOptions): object {
  const clients = tls === null ? 'plain' : tls.clientCa === null ? 'TLS' : 'TLS with client certificates';
  const who = registerToken === null ? 'any' : 'those with the token';
  const from = registerFrom.length === 0 ? '' : ` from ${registerFrom.join(', ')}`;
  return { clients, servers: `${who}${from}, ${upstreamTls === null ? 'plain' : 'TLS'}` };
}

function explain(
  { code, port, message }: NodeJS.ErrnoException & { port?: number },
  options: ProxyOptions,
): string {
  const [use, remedy] =
    port === options.adminPort
      ? ['the status listener', '--admin-port (PROXY_ADMIN_PORT)']
      : ['clients and servers', '--port (PROXY_PORT)'];
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port}, for ${use}, is in use: stop what listens there, or choose another port with ${remedy}.`;
    case 'EACCES':
      return `Port ${port}, for ${use}, is not allowed for this user: choose one above 1023 with ${remedy}.`;
    default:
      return `The proxy could not start: ${message}.`;
  }
}
