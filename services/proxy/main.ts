// shell · `npm run proxy`: command line, log, signals.
// Must never do the proxy's work: proxy.ts wires it.
import { runMain } from '../shared/config.ts';
import { createLog } from '../shared/log.ts';
import { onStopSignal } from '../shared/signals.ts';
import { readProxyOptions } from './options.ts';
import { startProxy } from './proxy.ts';

await runMain('npm run proxy --', async () => {
  const options = await readProxyOptions(process.argv.slice(2));
  const log = createLog('proxy', options.logLevel, options.logFormat);
  const proxy = await startProxy(options, log).catch((error: NodeJS.ErrnoException) => {
    log.error(explain(error));
    process.exit(1);
  });
  log.info('listening', {
    port: proxy.port,
    host: options.host,
    status: `http://${options.adminHost}:${proxy.adminPort}`,
  });
  onStopSignal((signal) => {
    log.info('shutting down', { signal });
    void proxy.stop().then(() => {
      log.info('stopped');
      process.exit(0);
    });
  });
});

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
