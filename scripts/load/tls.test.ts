// Load over TLS, against a scripted proxy with certificates of a throw-away authority.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startProgram } from '../../test-support/programs.ts';
import { answerTo, type Script, startScriptedProxy } from '../../test-support/scripted-proxy.ts';
import { Authority, type Pem } from '../certs.ts';
import type { LoadResult } from './result.ts';

const HOUR_MS = 3_600_000;

let folder = '';
let ca: Authority;
let own: Pem;

const fileOf = (name: string): string => join(folder, name);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'load-tls-'));
  const notAfter = new Date(Date.now() + HOUR_MS);
  ca = await Authority.create('one authority', notAfter);
  own = await ca.issue({ name: 'proxy', hosts: ['localhost'], notAfter });
  const other = await Authority.create('another', notAfter);
  const files = {
    'ca.pem': ca.cert,
    'other-ca.pem': other.cert,
    'own.pem': own.cert,
    'own-key.pem': own.key,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(fileOf(name), text);
});
after(() => rm(folder, { recursive: true }));

const answerRight: Script = (request, socket) => {
  socket.write(answerTo(request, 'a'));
};

async function loadOverTls(
  args: readonly string[],
  { clientCa }: { clientCa?: string } = {},
): Promise<{ code: number | string; stdout: string; stderr: string }> {
  const proxy = await startScriptedProxy(answerRight, 0, { ...own, ...(clientCa ? { ca: clientCa } : {}) });
  const run = ['--proxy', `localhost:${proxy.port}`, '--rate', '100', '--duration', '0.2', ...args];
  const load = startProgram('scripts/load.ts', run);
  try {
    return { code: await load.exited(), stdout: load.stdout(), stderr: load.stderr() };
  } finally {
    await load.stop();
    proxy.close();
  }
}

for (const connection of ['keep', 'per-request']) {
  test(`${connection}: every request is answered over TLS`, async () => {
    const args = ['--tls', '--tls-ca', fileOf('ca.pem'), '--connection', connection];
    const { code, stdout, stderr } = await loadOverTls(args);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^20 requests .* over TLS, /);
    assert.match(stdout, /answered +20/);
  });
}

test('a proxy that asks for a certificate gets ours, and the result does not hold the key', async () => {
  const args = ['--tls', '--tls-ca', fileOf('ca.pem'), '--json'];
  const shown = ['--tls-cert', fileOf('own.pem'), '--tls-key', fileOf('own-key.pem')];
  const without = await loadOverTls(args, { clientCa: ca.cert });
  assert.notEqual(without.code, 0, without.stdout);
  const { code, stdout, stderr } = await loadOverTls([...args, ...shown], { clientCa: ca.cert });
  assert.equal(code, 0, stdout + stderr);
  const { ok, options } = JSON.parse(stdout) as LoadResult;
  assert.deepEqual([ok, options.tls], [20, true]);
  assert.doesNotMatch(stdout, /PRIVATE KEY|CERTIFICATE/);
});

const untrusted: [name: string, args: () => string[]][] = [
  ['of another authority', () => ['--tls-ca', fileOf('other-ca.pem')]],
  ['for another name', () => ['--tls-ca', fileOf('ca.pem'), '--tls-name', 'somewhere.else']],
];
for (const [name, args] of untrusted) {
  test(`nothing is sent to a proxy with a certificate ${name}`, async () => {
    const { code, stdout, stderr } = await loadOverTls(['--tls', ...args()]);
    assert.equal(code, 3, stdout + stderr);
    assert.match(stderr, /can't be reached \(its certificate is (from|for) .*\)\.\nSee --tls-ca/);
  });
}

test('plain requests to a port with TLS are lost, and the report says what may be missing', async () => {
  const { code, stdout } = await loadOverTls([]);
  assert.equal(code, 1, stdout);
  assert.match(stdout, /lost +20 /);
  assert.match(stdout, /If the proxy takes TLS only, add --tls\./);
});

test('TLS options without --tls are refused', async () => {
  const { code, stderr } = await loadOverTls(['--tls-ca', fileOf('ca.pem')]);
  assert.equal(code, 2);
  assert.match(stderr, /say nothing without --tls/);
});
