// shell · `npm run proxy`: command line, log, signals.
// Must never do the proxy's work: proxy.ts wires it.
import { setDefaultHighWaterMark } from 'node:stream';
import { runMain, UsageError } from '../shared/config.ts';
import { createLog } from '../shared/log.ts';
import { addressOf } from '../shared/printable.ts';
import { onStopSignal } from '../shared/signals.ts';
import { HIGH_WATER_BYTES } from './network/accepted-socket.ts';
import { type ProxyOptions, readProxyOptions } from './options.ts';
import { startProxy } from './proxy.ts';

await runMain('npm run proxy --', async () => {
  const options = readProxyOptions(process.argv.slice(2));
  const log = createLog('proxy', options.logLevel, options.logFormat);
  // The sockets of TLS take no limit of their own.
  setDefaultHighWaterMark(false, HIGH_WATER_BYTES);
  const proxy = await startProxy(options, log).catch((error: NodeJS.ErrnoException) => {
    if (error instanceof UsageError) throw error;
    log({ level: 'error', message: explain(error) });
    process.exit(1);
  });
  // Before anybody can know that it runs: who has read that it listens may stop it at once.
  onStopSignal((signal) => {
    log({ level: 'info', message: 'shutting down', signal });
    void proxy.stop().then(() => {
      log({ level: 'info', message: 'stopped' });
      process.exit(0);
    });
  });
  log({
    level: 'info',
    message: 'listening',
    port: proxy.port,
    host: options.host,
    status: `http://${addressOf(options.adminHost, proxy.adminPort)}`,
    ...protections(options),
  });
});

// So that a protection that somebody believes to be on is seen to be off.
function protections({ tls, upstreamTls, registerToken, registerFrom }: ProxyOptions): object {
  const clients = tls === null ? 'plain' : tls.clientCa === null ? 'TLS' : 'TLS with client certificates';
  const servers = registerToken === null ? 'any' : 'those with the token';
  return {
    clients,
    servers: `${servers}${registerFrom.length === 0 ? '' : ` from ${registerFrom.join(', ')}`}, ${upstreamTls === null ? 'plain' : 'TLS'}`,
  };
}

function explain(error: NodeJS.ErrnoException & { port?: number }): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `Port ${error.port} is in use: stop what listens there, or choose another with --port or --admin-port.`;
    case 'EACCES':
      return `Port ${error.port} is not allowed for this user: choose one above 1023 with --port or --admin-port.`;
    default:
      return `The proxy could not start: ${error.message}.`;
  }
}
