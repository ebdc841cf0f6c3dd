// The Kubernetes base in deploy/kubernetes, held against Kubernetes' own types, against itself and against the product.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { testProxy } from '../cluster.ts';
import type { Frame } from '../peers.ts';
import { differences, type Files, ownFiles, resolveBase } from './base.ts';
import { formProblems } from './form.ts';
import { MISTAKES } from './mistakes.ts';
import { type Facts, productProblems } from './product.ts';
import { referenceProblems } from './references.ts';
import { securityProblems } from './security.ts';

const OWN = ownFiles();

async function problemsOf(files: Files, facts: Facts): Promise<string[]> {
  const base = resolveBase(files);
  const ofForm = (await Promise.all(base.resources.map(formProblems))).flat();
  // What goes on counts on the form.
  if (base.problems.length + ofForm.length > 0) return [...base.problems, ...ofForm];
  return [
    ...referenceProblems(base),
    ...securityProblems(base),
    ...productProblems(base, facts),
    ...differences(files),
  ];
}

async function factsOf(t: TestContext): Promise<Facts> {
  const folder = await mkdtemp(join(tmpdir(), 'policy-proxy-kubernetes-'));
  t.after(() => rm(folder, { recursive: true }));
  const tokenFile = join(folder, 'token');
  await writeFile(tokenFile, 'x'.repeat(64));
  const { adminPort } = await testProxy(t);
  const nothing = await fetch(`http://127.0.0.1:${adminPort}/nothing-of-that-name`);
  const { paths } = (await nothing.json()) as Frame;
  return { paths, tokenFile };
}

test('the base has the form that Kubernetes wants, goes together, and fits the product', async (t) => {
  assert.deepEqual(await problemsOf(OWN, await factsOf(t)), []);
});

test('each kind of mistake is found', async (t) => {
  const facts = await factsOf(t);
  for (const [file, mistakes] of Object.entries(MISTAKES)) {
    const text = OWN.get(file) ?? '';
    for (const [what, right, wrong, said] of mistakes) {
      assert.ok(text.includes(right), `${file}, ${what}: "${right}" is not there`);
      const problems = await problemsOf(
        new Map(OWN).set(
          file,
          text.replace(right, () => wrong),
        ),
        facts,
      );
      assert.match(problems.join('\n'), said, `${file}, ${what}`);
    }
  }
});
