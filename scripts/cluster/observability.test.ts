import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Failure } from '../kit/failure.ts';
import { isObserved, prepareObservability } from './observability.ts';

const CONFIG =
  '{"services":{"prometheus":{"image":"one:1"},"grafana":{"image":"two:2"},"proxy":{"image":"x"}}}';

// Puts a `docker` before the machine's own, which answers as `script` says.
async function withDocker(t: TestContext, script: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'policy-proxy-docker-'));
  const path = process.env.PATH;
  t.after(async () => {
    process.env.PATH = path;
    await rm(folder, { recursive: true });
  });
  const text = `#!/bin/sh\ncase "$*" in\ncompose*) echo '${CONFIG}' ;;\n${script}\n*) exit 1 ;;\nesac\n`;
  await writeFile(join(folder, 'docker'), text, { mode: 0o755 });
  process.env.PATH = `${folder}:${path}`;
}

test('images that are here are not pulled', async (t) => {
  await withDocker(t, 'image*) echo sha256:1 ;;');
  assert.deepEqual(await prepareObservability(), { skipped: 'one:1, two:2 (already here)' });
});

test('an image that is not here is pulled', async (t) => {
  await withDocker(t, 'image*one:1*) echo sha256:1 ;;\npull*two:2) echo pulled ;;');
  assert.deepEqual(await prepareObservability(), 'one:1, two:2');
});

test('where no registry can be reached, it says which image that was and what works without', async (t) => {
  await withDocker(t, 'pull*) echo "lookup registry: no such host" >&2; exit 1 ;;');
  await assert.rejects(prepareObservability(), (failure: Failure) => {
    assert.equal(failure.message, 'The image one:1 could not be pulled.');
    assert.match(failure.next, /PROMETHEUS_IMAGE and GRAFANA_IMAGE .*COMPOSE_PROFILES= npm start/);
    assert.match(String(failure.tail), /no such host/);
    return true;
  });
});

test('the profile is asked for by its name, among others', (t) => {
  const before = process.env.COMPOSE_PROFILES;
  t.after(() => {
    if (before === undefined) delete process.env.COMPOSE_PROFILES;
    else process.env.COMPOSE_PROFILES = before;
  });
  for (const [profiles, expected] of [
    ['', false],
    ['client', false],
    ['observability', true],
    ['client, observability', true],
  ] as const) {
    process.env.COMPOSE_PROFILES = profiles;
    assert.equal(isObserved(), expected, profiles);
  }
});
