// What docs/kubernetes.md says of the base and of the product.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { ROOT } from '../../scripts/kit/project.ts';
import { FAMILIES } from '../../services/proxy/metrics/exposition.ts';
import { proxyVariables } from '../../services/proxy/options.ts';
import { serverVariables } from '../../services/server/options.ts';
import { ownVersion } from '../../services/shared/version.ts';
import { type Manifest, ofKind, ownFiles, podsOf, resolveBase } from './base.ts';
import { factsOf, problemsOf } from './problems.ts';

const PAGE = readFileSync(join(ROOT, 'docs/kubernetes.md'), 'utf8');
const OWN = ownFiles();
const BASE = resolveBase(OWN);
const SNIPPETS = [...PAGE.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, yaml = '']) => parse(yaml));

test('each variable, metric and object that the page names is there', () => {
  const variables = new Set(['PROXY_PORT', ...proxyVariables(), ...serverVariables()]);
  for (const [name] of PAGE.matchAll(/\b(?:PROXY|SERVER)_[A-Z_]+\b/g)) assert.ok(variables.has(name), name);
  for (const [name] of PAGE.matchAll(/\bpolicyproxy_\w+/g))
    assert.ok(
      FAMILIES.some((family) => family.name === name),
      name,
    );
  for (const kind of ['Service', 'Deployment', 'HorizontalPodAutoscaler'] as const)
    for (const { object } of ofKind(BASE, kind)) assert.ok(PAGE.includes(`\`${object.metadata.name}\``));
  const addresses = ofKind(BASE, 'Service').map(({ object: { metadata, spec } }) => {
    return `${metadata.name}:${spec?.ports?.[0]?.port}`;
  });
  const named = [...PAGE.matchAll(/(?<![\w./-])policy-proxy[\w-]*:\d{2,}/g)].map(([name]) => name);
  assert.deepEqual(new Set(named), new Set(addresses));
});

test('the overlay of the page fits the base', () => {
  const [overlay] = SNIPPETS;
  const [image] = overlay.images;
  const [secret] = overlay.secretGenerator;
  const namespaces = ofKind(BASE, 'Namespace').map(({ object }) => object.metadata.name);
  assert.deepEqual([overlay.namespace, secret.namespace], [namespaces[0], namespaces[0]]);
  assert.deepEqual([image.name, image.newTag], ['policy-proxy', ownVersion()]);
  assert.equal(secret.behavior, 'replace');
  assert.deepEqual(Object.keys(BASE.secrets.get(secret.name) ?? {}), secret.files);
  assert.deepEqual(overlay.resources, ['../policy-proxy/deploy/kubernetes']);
});

test('each patch of the page is of objects of the base, and of a field that they have', () => {
  const patches = SNIPPETS.flatMap((snippet) => snippet.patches ?? []);
  assert.equal(patches.length, 4);
  for (const { target, patch } of patches) {
    const found = BASE.resources.map(({ object }) => object).filter((object) => isMeant(object, target));
    assert.ok(found.length > 0, JSON.stringify(target));
    for (const object of found) for (const operation of parse(patch)) assertApplies(object, operation);
  }
});

type Target = { kind: string; name?: string; labelSelector?: string };

function isMeant({ kind, metadata }: Manifest, { name, labelSelector, ...target }: Target): boolean {
  const [label = '', value] = labelSelector?.split('=') ?? [];
  const hasLabel = labelSelector === undefined || metadata.labels?.[label] === value;
  return kind === target.kind && metadata.name === (name ?? metadata.name) && hasLabel;
}

/** RFC 6902: what holds the field is there; what is replaced is there too, and what is added is not. */
function assertApplies(object: Manifest, { op, path }: { op: string; path: string }): void {
  const keys = path.split('/').slice(1);
  const last = keys.pop() as string;
  const holder = keys.reduce((part: unknown, key) => Reflect.get(part as object, key), object);
  assert.ok(typeof holder === 'object' && holder !== null, path);
  if (Array.isArray(holder)) assert.deepEqual([op, last], ['add', '-'], path);
  else assert.equal(op, last in holder ? 'replace' : 'add', path);
}

test('kustomize builds the overlays of the page, and what comes out goes together', async (t) => {
  if (spawnSync('kubectl', ['version', '--client']).status !== 0) return t.skip('needs kubectl');
  const folder = await mkdtemp(join(tmpdir(), 'policy-proxy-kustomize-'));
  t.after(() => rm(folder, { recursive: true }));
  await symlink(ROOT, join(folder, 'policy-proxy'));
  const mine = join(folder, 'mine');
  await mkdir(mine);
  const [overlay, ...others] = SNIPPETS;
  const secrets = others.find(({ secretGenerator }) => secretGenerator)?.secretGenerator;
  for (const file of secrets.flatMap(({ files }: { files: string[] }) => files))
    await writeFile(join(mine, file), 'x'.repeat(64));
  const patches = SNIPPETS.flatMap((snippet) => snippet.patches ?? []);
  const replicas = [{ name: 'server-p1', count: 4 }];
  for (const made of [overlay, { ...overlay, secretGenerator: secrets, patches, replicas }]) {
    await writeFile(join(mine, 'kustomization.yaml'), stringify(made));
    const built = spawnSync('kubectl', ['kustomize', mine], { encoding: 'utf8' });
    assert.equal(built.status, 0, built.stderr);
    const objects: Manifest[] = parseAllDocuments(built.stdout).map((document) => document.toJS());
    const rest = objects.filter(({ kind }) => kind !== 'Secret');
    assert.equal(rest.length, BASE.resources.length);
    const resources = rest.map((object) => ({ where: object.kind, object }));
    const pods = podsOf({ ...BASE, resources });
    assert.ok(pods.length >= 4);
    const names = objects.filter(({ kind }) => kind === 'Secret').map(({ metadata }) => metadata.name);
    for (const { name, container, spec } of pods) {
      assert.equal(container.image, `registry.example/policy-proxy:${ownVersion()}`);
      assert.equal(spec.volumes?.length, 'patches' in made ? 2 : 1, name);
      for (const { secret } of spec.volumes ?? [])
        assert.deepEqual(
          [names.includes(secret?.secretName ?? ''), secret?.defaultMode],
          [true, 0o440],
          name,
        );
    }
  }
});

test("servers made by the page's command are right", async (t) => {
  const [, script = ''] = /sed '([^']+)' \S+\/server-p1\.yaml > mine\/server-p4\.yaml/.exec(PAGE) ?? [];
  const made = execFileSync('sed', [script, join(ROOT, 'deploy/kubernetes/server-p1.yaml')], {
    encoding: 'utf8',
  });
  const kustomization = OWN.get('kustomization.yaml')?.replace('- server-p3.yaml', '$&\n  - server-p4.yaml');
  const files = new Map(OWN).set('kustomization.yaml', kustomization ?? '').set('server-p4.yaml', made);
  assert.deepEqual(await problemsOf(files, await factsOf(t)), []);
});
