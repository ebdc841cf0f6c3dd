// A proxy that was itself stopped for a while (a frozen container, a starved machine) must not blame its servers for it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerTo, isProbeFrame, request } from '../../../test-support/cluster.ts';
import { watchEvents } from '../../../test-support/event-stream.ts';
import {
  connectPeer,
  type Frame,
  freePort,
  type Peer,
  scriptedServer,
  within,
} from '../../../test-support/peers.ts';
import { startProgram } from '../../../test-support/programs.ts';

// Longer than an attempt (500 ms), a probe (500 ms) and three heartbeats.
const FROZEN_MS = 3_100;

test('what came while the proxy was frozen is read before anybody is called silent', async (t) => {
  const [port, adminPort] = [await freePort(), await freePort()];
  const proxy = startProgram('services/proxy/main.ts', [String(port), '--admin-port', String(adminPort)]);
  t.after(() => proxy.stop());
  await proxy.printed(/listening/);
  const servers = await Promise.all([1, 2].map((id) => holdingServer(t, id, port)));
  const watch = await watchEvents(`http://127.0.0.1:${adminPort}`);
  t.after(() => watch.close());
  for (const { id } of servers) await watch.next(['admitted'], String(id), 0);
  const seen = watch.events.length;

  const client = connectPeer(port);
  t.after(() => client.socket.destroy());
  for (let i = 0; i < 4; i += 1) client.send(request(`request ${i}`));
  await within(Promise.all(servers.map(({ hasTwo }) => hasTwo)), 20_000, 'two requests on each server');
  proxy.child.kill('SIGSTOP');
  for (const { answerAll } of servers) answerAll();
  await new Promise((resolve) => setTimeout(resolve, FROZEN_MS));
  proxy.child.kill('SIGCONT');

  for (let i = 0; i < 4; i += 1) assert.equal((await client.nextFrame()).type, 2);
  // The next round of heartbeats and probes is when a session would be called lost.
  for (const { nextProbe } of servers) await within(nextProbe(), 20_000, 'the next probe');
  assert.deepEqual(watch.events.slice(seen), []);
});

type Holding = { id: number; hasTwo: Promise<void>; answerAll(): void; nextProbe(): Promise<void> };

/** Registers with a session, echoes heartbeats, answers probes at once and real requests when it is told to. */
async function holdingServer(
  t: { after(work: () => unknown): void },
  id: number,
  proxyPort: number,
): Promise<Holding> {
  const held: (() => void)[] = [];
  const two = Promise.withResolvers<void>();
  let probed = Promise.withResolvers<void>();
  const take = (peer: Peer, frame: Frame): void => {
    if (isProbeFrame(frame)) {
      peer.send(answerTo(id, frame));
      probed.resolve();
      return;
    }
    held.push(() => peer.send(answerTo(id, frame)));
    if (held.length === 2) two.resolve();
  };
  const server = await scriptedServer((peer) => void eachFrame(peer, (frame) => take(peer, frame)));
  t.after(() => server.close());
  const session = connectPeer(proxyPort);
  t.after(() => session.socket.destroy());
  session.send({
    type: 1,
    id,
    privPoliId: '1',
    listenport: server.port,
    session: true,
    keepAlive: true,
    incarnation: 'a',
  });
  void eachFrame(session, (frame) => frame.type === 3 && session.send({ type: 3, srcid: id }));
  return {
    id,
    hasTwo: two.promise,
    answerAll: () => {
      for (const answer of held.splice(0)) answer();
    },
    nextProbe: () => {
      probed = Promise.withResolvers<void>();
      return probed.promise;
    },
  };
}

async function eachFrame(peer: Peer, take: (frame: Frame) => void): Promise<void> {
  while (true) {
    const frame = await peer.nextFrame(600_000).catch(() => null);
    if (frame === null) return;
    take(frame);
  }
}
