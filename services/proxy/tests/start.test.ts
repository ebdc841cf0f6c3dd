// test · a proxy that can't start says which port is taken, and which option changes it.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort, scriptedServer } from '../../../test-support/peers.ts';
import { startProgram } from '../../../test-support/programs.ts';
import { ownVersion } from '../../shared/version.ts';

test('the first line has the version and the settings, and no secret', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'start-'));
  t.after(() => rm(folder, { recursive: true }));
  const token = join(folder, 'token');
  await writeFile(token, 'a token that is nowhere to be seen');
  const args = ['0', '--admin-port', '0', '--host', '127.0.0.1', '--log-format', 'json', '--fall', '3'];
  const program = startProgram('services/proxy/main.ts', [...args, '--register-token-file', token]);
  t.after(() => program.stop());
  await program.printed(/"listening"/);
  const [first = ''] = program.stderr().split('\n');
  const { message, version, fall, rise, registerToken, tls } = JSON.parse(first);
  assert.deepEqual(
    { message, version, fall, rise, registerToken, tls },
    { message: 'starting', version: ownVersion(), fall: 3, rise: 2, registerToken: 'given', tls: 'none' },
  );
  assert.ok(!program.stderr().includes('nowhere'));
});

for (const [option, variable, other] of [
  ['--port', 'PROXY_PORT', '--admin-port'],
  ['--admin-port', 'PROXY_ADMIN_PORT', '--port'],
] as const) {
  test(`the port of ${option} is in use`, async (t) => {
    const taken = await scriptedServer();
    t.after(() => taken.close());
    const args = [option, String(taken.port), other, String(await freePort())];
    const program = startProgram('services/proxy/main.ts', [...args, '--host', '127.0.0.1']);
    t.after(() => program.stop());
    assert.equal(await program.exited(), 1);
    assert.ok(program.stderr().includes(`Port ${taken.port}, for `), program.stderr());
    assert.ok(program.stderr().includes(`with ${option} (${variable}).`), program.stderr());
    assert.ok(!program.stderr().includes(other), program.stderr());
  });
}
