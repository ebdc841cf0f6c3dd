// test · a proxy that can't start says which port is taken, and which option changes it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort, scriptedServer } from '../../../test-support/peers.ts';
import { startProgram } from '../../../test-support/programs.ts';

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
