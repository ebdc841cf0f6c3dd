// `npm run swarm` on this machine's engine: up, updated and scaled under load, and gone without a trace.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { freePortBelowEphemeral } from '../../test-support/peers.ts';
import { startProgram } from '../../test-support/programs.ts';
import { stackNodes } from '../cluster/swarm/stack.ts';
import { SwarmCluster } from '../cluster/swarm/swarm-cluster.ts';
import { attempt } from '../kit/command.ts';
import type { LoadResult } from '../load/result.ts';

const PROJECT = 'policy-proxy-swarm-test';
const UP_WITHIN_MS = 180_000;
const LOAD_WITHIN_MS = 240_000;

const environment: Record<string, string> = { COMPOSE_PROJECT_NAME: PROJECT };
for (const name of ['NODE_IMAGE', 'REGISTER_TOKEN_FILE', 'DOCKER_HOST', 'HOME'])
  if (process.env[name] !== undefined) environment[name] = process.env[name];

async function docker(...args: string[]): Promise<string> {
  const { isOk, stdout, tail } = await attempt('docker', args, { timeoutMs: 20_000 });
  assert.ok(isOk, tail);
  return stdout.trim();
}

async function stop(): Promise<void> {
  const program = startProgram('scripts/swarm.ts', ['stop'], { environment });
  assert.equal(await program.exited(UP_WITHIN_MS), 0, program.stderr());
}

after(stop);

test('updated and scaled under load, it loses nothing, and leaves nothing behind', async () => {
  const stateBefore = await docker('info', '--format', '{{.Swarm.LocalNodeState}}');
  const [port, adminPort] = [await freePortBelowEphemeral(), await freePortBelowEphemeral()];
  Object.assign(environment, { PROXY_PUBLISH_PORT: `${port}`, PROXY_PUBLISH_ADMIN_PORT: `${adminPort}` });
  const up = startProgram('scripts/swarm.ts', [], { environment });
  assert.equal(await up.exited(UP_WITHIN_MS), 0, up.stdout() + up.stderr());
  assert.match(up.stdout(), /6 servers are ready: proxy-1 on 127\.0\.0\.1:\d+/);
  assert.match(up.stdout(), /3 packets answered/);

  const swarm = new SwarmCluster(PROJECT, await stackNodes(PROJECT));
  const target = (await swarm.proxies()).map(({ address }) => address).join();
  // There is one proxy, so clients ask again while it is replaced.
  const args = ['--proxy', target, '--rate', '200', '--duration', '600', '--retry-for', '20000', '--json'];
  const load = startProgram('scripts/load.ts', args);
  try {
    await load.printed(/[1-9]\d* requests|ok [1-9]/, LOAD_WITHIN_MS);
    for (const service of ['server-p1', 'proxy']) {
      const before = await swarm.replicas(service);
      assert.equal(await swarm.update(service), 'completed');
      const now = (await swarm.replicas(service)).map(({ containerId }) => containerId);
      assert.ok(!before.some(({ containerId }) => now.includes(containerId)), `all of ${service} are new`);
    }
    await swarm.scale('server-p2', 3);
    await swarm.scale('server-p2', 2);
  } finally {
    load.child.kill('SIGINT');
    await load.exited(LOAD_WITHIN_MS);
  }
  const { ok, wrong, lost, errorReplies } = JSON.parse(load.stdout()) as LoadResult & {
    errorReplies: number;
  };
  assert.ok(ok > 1000, `${ok} requests`);
  assert.deepEqual({ wrong, lost, errorReplies }, { wrong: 0, lost: 0, errorReplies: 0 });

  await stop();
  const filter = ['--filter', `label=com.docker.stack.namespace=${PROJECT}`, '--quiet'];
  assert.equal(await docker('ps', '--all', ...filter), '');
  assert.equal(await docker('network', 'ls', ...filter), '');
  assert.equal(await docker('info', '--format', '{{.Swarm.LocalNodeState}}'), stateBefore);
});
