// The server: listens, registers, leaves cleanly. Loads the rest after it has registered: a restart's outage lasts until then.
import { randomUUID } from 'node:crypto';
import { createResolver } from '../shared/addresses.ts';
import { systemClock } from '../shared/clock.ts';
import { runMain, UsageError } from '../shared/config.ts';
import { createLog, type Log } from '../shared/log.ts';
import { formatSetup } from '../shared/packet.ts';
import { addressOf } from '../shared/printable.ts';
import { proofOf } from '../shared/proof.ts';
import { onStopSignal } from '../shared/signals.ts';
import { openTracing } from '../shared/tracing.ts';
import { Announcement } from './announce.ts';
import { AnswerServer } from './answer.ts';
import { readOptions, SCRIPT_NAME, type ServerOptions } from './options.ts';
import type { MakeSetup } from './session.ts';

const LEAVE_MS = 5_000;
const SHUTDOWN_MS = 10_000;
const DRAIN_MS = 3_000;

/** The control port opens so much later: loading HTTP takes longer than registering. */
const CONTROL_AFTER_MS = 150;

await runMain(SCRIPT_NAME, async () => {
  const options = readOptions(process.argv.slice(2), process.env);
  const { log } = createLog('server', options.logLevel, options.logFormat);
  const server = new AnswerServer(options.id, options.tls);
  const port = await server.listen(options.port, options.host).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(
      `Can't listen on ${addressOf(options.host, options.port)} (${error.code}): choose another port.`,
    );
  });
  const announcement = new Announcement({
    proxies: options.proxies,
    serverId: options.id,
    setup: setupOf(options, port),
    tls: options.proxyTls,
    resolve: createResolver(),
    clock: systemClock,
    log,
  });
  announcement.start();
  if (options.controlPort !== null) void openToFaults(server, options, options.controlPort, log);
  const tracing =
    options.traceEndpoint === null ? null : openTracing('policy-server', options.traceEndpoint, log);
  void tracing?.then((opened) => server.traceWith(opened));
  stopOnSignal(log, async () => {
    await announcement.leave(LEAVE_MS);
    await server.drain(DRAIN_MS);
    await (await tracing)?.close();
    log({ level: 'info', message: 'stopped', answered: server.answered });
  });
  log({ level: 'info', message: 'listening', id: options.id, policy: options.policy, port });
});

function setupOf({ id, policy, registerToken: token }: ServerOptions, listenPort: number): MakeSetup {
  const claim = { id, policy, listenPort, incarnation: randomUUID() };
  return (nonce, sessionsWith) => {
    const proof = token === null || nonce === null ? null : proofOf(token, nonce, claim);
    return formatSetup({ ...claim, canProve: token !== null, proof, sessionsWith });
  };
}

function stopOnSignal(log: Log, stop: () => Promise<void>): void {
  onStopSignal((signal) => {
    log({ level: 'info', message: 'stopping', signal });
    setTimeout(() => {
      log({ level: 'error', message: 'could not stop cleanly', afterMs: SHUTDOWN_MS });
      process.exit(1);
    }, SHUTDOWN_MS).unref();
    void stop().then(() => {
      process.exitCode = 0;
      // A look-up that hangs in the resolver would keep the process alive for seconds.
      setTimeout(() => process.exit(), 100).unref();
    });
  });
}

async function openToFaults(
  server: AnswerServer,
  { id, host }: ServerOptions,
  port: number,
  log: Log,
): Promise<void> {
  await systemClock.sleep(CONTROL_AFTER_MS);
  const { openFaults } = await import('./faults/control.ts');
  server.letStandIn(await openFaults(id, host, port, log));
}
