// shell · composition root of the server: listens, makes itself known, leaves in good order.
// Must never load what it can do without before it is registered: a restart's outage lasts that long.
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { addressOf } from '../shared/address-text.ts';
import { createResolver } from '../shared/addresses.ts';
import { systemClock } from '../shared/clock.ts';
import { runMain, UsageError } from '../shared/config.ts';
import { createLog, type Log } from '../shared/log.ts';
import { formatSetup, type Id } from '../shared/packet.ts';
import { proofOf } from '../shared/proof.ts';
import { onStopSignal } from '../shared/signals.ts';
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
  const log = createLog('server', options.logLevel, options.logFormat);
  const server = new AnswerServer(options.id, options.tls);
  const port = await server.listen(options.port, options.host).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(
      `Can't listen on ${addressOf(options.host, options.port)} (${error.code}): choose another port.`,
    );
  });
  const announcement = new Announcement({
    proxy: options.proxy,
    serverId: options.id,
    setup: setupOf(options, port),
    tls: options.proxyTls,
    resolve: createResolver(),
    clock: systemClock,
    log,
  });
  announcement.start();
  if (options.controlPort !== null) void openToFaults(server, { ...options, port: options.controlPort }, log);
  stopOnSignal(log, async () => {
    await announcement.leave(LEAVE_MS);
    await server.drain(DRAIN_MS);
    log({ level: 'info', message: 'stopped', answered: server.answered });
  });
  log({ level: 'info', message: 'listening', id: options.id, policy: options.policy, port });
});

function setupOf({ id, policy, registerToken: token }: ServerOptions, listenPort: number): MakeSetup {
  const claim = { id, policy, listenPort, incarnation: randomUUID() };
  return (nonce) => {
    const proof = token === null || nonce === null ? null : proofOf(token, nonce, claim);
    return formatSetup({ ...claim, canProve: token !== null, proof });
  };
}

function stopOnSignal(log: Log, stop: () => Promise<void>): void {
  onStopSignal((signal) => {
    log({ level: 'info', message: 'stopping', signal });
    setTimeout(() => {
      log({ level: 'error', message: 'could not stop in good order', afterMs: SHUTDOWN_MS });
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
  { id, host, port }: { id: Id; host: string; port: number },
  log: Log,
): Promise<void> {
  await systemClock.sleep(CONTROL_AFTER_MS);
  const [{ openControl }, { Saboteur }] = await Promise.all([
    import('./faults/control.ts'),
    import('./faults/saboteur.ts'),
  ]);
  const saboteur = new Saboteur(id);
  server.letStandIn(saboteur);
  try {
    const control = await openControl(host, port, saboteur, log);
    const { port: controlPort } = control.address() as AddressInfo;
    log({ level: 'warn', message: 'faults can be turned on', controlPort });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    log({ level: 'error', message: "can't listen on the control port", host, port, code });
    process.exit(2);
  }
}
