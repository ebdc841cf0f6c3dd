// What docs/kubernetes.md says of the base and of the product.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { ROOT } from '../../scripts/kit/project.ts';
import { FAMILIES } from '../../services/proxy/metrics/exposition.ts';
import { proxyVariables } from '../../services/proxy/options.ts';
import { serverVariables } from '../../services/server/options.ts';
import { ownVersion } from '../../services/shared/version.ts';
import { ofKind, ownFiles, resolveBase } from './base.ts';
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

test('each patch of the page is of an object, and of a field that it has', () => {
  const patches = SNIPPETS.flatMap((snippet) => snippet.patches ?? []);
  assert.equal(patches.length, 2);
  for (const { target, patch } of patches) {
    const found = BASE.resources
      .map(({ object }) => object)
      .filter(
        ({ kind, metadata }) => kind === target.kind && metadata.name === (target.name ?? metadata.name),
      );
    const [object, ...others] = found;
    assert.deepEqual(others, []);
    const has = Object.keys(Reflect.get(object ?? {}, 'spec'));
    for (const { op, path } of parse(patch)) {
      const [, part, field] = path.split('/');
      assert.deepEqual([part, op], ['spec', has.includes(field) ? 'replace' : 'add']);
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
