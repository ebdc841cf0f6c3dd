// The cluster with other settings than its own, as `npm start` brings it up; each test changes what the one before has left.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startProgram } from '../../test-support/programs.ts';
import { assertNothingLost, succeeds, testCluster } from '../../test-support/test-cluster.ts';
import { readComposeConfig } from '../cluster/services.ts';
import { CACHE, ROOT } from '../kit/project.ts';

const cluster = await testCluster('policy-proxy-settings-test');
/** Where nobody is served while a proxy stops. */
const AT_ONCE = { PROXY_LAME_DUCK: '0' };

after(() => cluster.remove());

test('two proxies: each is shown, and they are upgraded one by one without a loss', async () => {
  const settings = { PROXIES: '2', PROXY_LOG_LEVEL: 'info' };
  const said = await succeeds(cluster.command('scripts/start.ts', settings));
  assert.match(said, /6 servers are ready for each of 2 proxies/);
  const addresses = [...said.matchAll(/^ {2}proxy-\d+ on (\S+),/gm)].map(([, address]) => address);
  assert.equal(addresses.length, 2);
  const shown = await succeeds(cluster.command('scripts/status.ts', settings));
  assert.deepEqual(shown.match(/^proxy-\d+ /gm)?.length, 2);
  const running = cluster.load(120, { rate: 200, args: ['--proxy', addresses.join()] });
  await cluster.underLoad();
  const upgraded = await succeeds(
    cluster.command('scripts/upgrade.ts', { ...settings, PROXY_LOG_LEVEL: 'debug' }),
  );
  assert.match(upgraded, /proxy: replaced 2, one by one/);
  running.stop();
  assertNothingLost(await running.result());
});

test('an own policy in an override file: npm start waits for its servers, and they serve', async () => {
  await mkdir(CACHE, { recursive: true });
  const override = join(CACHE, 'e2e-gold.yml');
  await writeFile(
    override,
    `services:
  server-gold:
    extends: { file: ${join(ROOT, 'docker-compose.yml')}, service: server-p1 }
    environment: { SERVER_POLICY: "4" }
    deploy: { replicas: 1 }
`,
  );
  const settings = { ...AT_ONCE, COMPOSE_FILE: `docker-compose.yml:${override}` };
  const said = await succeeds(cluster.command('scripts/start.ts', settings));
  assert.match(said, /7 servers are ready: 2 of policy 1, 2 of policy 2, 2 of policy 3, 1 of policy 4/);
  const result = await cluster.load(1, { rate: 50, args: ['--policies', '4'] }).result();
  assert.deepEqual([result.ok, result.lost], [result.due, 0]);
});

test('Compose counts a path in a setting from the repository, as every command does', async () => {
  const { secrets } = await readComposeConfig({ REGISTER_TOKEN_FILE: './some/token' });
  assert.equal(secrets?.['register-token']?.file, join(ROOT, 'some', 'token'));
});

test('the cluster over TLS, with what npm run certs makes', async () => {
  const certs = join(CACHE, 'e2e-certs');
  await succeeds(cluster.command('scripts/certs.ts', {}, ['--dir', certs]));
  const settings = {
    ...AT_ONCE,
    COMPOSE_FILE: 'docker-compose.yml:docker-compose.tls.yml',
    CERTS: certs,
  };
  const said = await succeeds(cluster.command('scripts/start.ts', settings));
  assert.match(said, /3 packets answered/);
  const args = ['client_packet_1.json', '--proxy', cluster.proxyAddress];
  const trusting = [...args, '--tls', '--tls-ca', join(certs, 'ca.pem')];
  assert.match(await succeeds(startProgram('services/client/main.ts', trusting)), /successfully received/);
  assert.notEqual(await startProgram('services/client/main.ts', args).exited(), 0);
});
