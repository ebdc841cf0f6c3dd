// The Kubernetes base in deploy/kubernetes, held against Kubernetes' own types, against itself and against the product.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame } from '../peers.ts';
import { ownFiles, resolveBase } from './base.ts';
import { formProblems } from './form.ts';
import { MISTAKES, SAME_BY_DEFAULT } from './mistakes.ts';
import { factsOf, meaningProblems, problemsOf } from './problems.ts';

const OWN = ownFiles();

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

const CHANGES: Readonly<Record<string, (holder: Frame, key: string | number) => void>> = {
  misspelt: (holder, key) => {
    holder[`${key}s`] = holder[key];
    delete holder[key];
  },
  'left out': (holder, key) => {
    if (Array.isArray(holder)) holder.splice(Number(key), 1);
    else delete holder[key];
  },
  'of another type': (holder, key) => {
    holder[key] = typeof holder[key] === 'object' ? 'a text' : { an: 'object' };
  },
};
/** What kustomize itself needs: `resolveBase` asks for it. */
const IDENTITY = /^(apiVersion|kind|metadata(\.name|\.namespace)?)$/;
const MAY_BE_LEFT_OUT = Object.entries(SAME_BY_DEFAULT).flatMap(([where, paths]) =>
  paths.map((path) => `${where}: ${path}`),
);

for (const [how, change] of Object.entries(CHANGES)) {
  test(`every field that is ${how} is found`, async (t) => {
    const facts = await factsOf(t);
    const base = resolveBase(OWN);
    const unnoticed: string[] = [];
    for (const [at, { where, object }] of base.resources.entries()) {
      // They differ from the first in their number only, which is tested above.
      if (/^server-p[23]/.test(where)) continue;
      for (const path of pathsOf(object)) {
        const name = path.join('.');
        if (IDENTITY.test(name) || (how === 'misspelt' && typeof path.at(-1) === 'number')) continue;
        const copy: Frame = structuredClone(object);
        change(
          path.slice(0, -1).reduce((holder, key) => holder[key], copy),
          path.at(-1) ?? '',
        );
        const changed = { where, object: copy as typeof object };
        const found = await formProblems(changed);
        if (found.length === 0)
          found.push(...meaningProblems({ ...base, resources: base.resources.with(at, changed) }, facts));
        if (found.length === 0) unnoticed.push(`${where}: ${name}`);
      }
    }
    assert.deepEqual(unnoticed, how === 'left out' ? MAY_BE_LEFT_OUT : []);
  });
}

function pathsOf(value: object): (string | number)[][] {
  return Object.entries(value).flatMap(([name, inner]) => {
    const key = Array.isArray(value) ? Number(name) : name;
    const below = typeof inner === 'object' && inner !== null ? pathsOf(inner) : [];
    return [[key], ...below.map((path) => [key, ...path])];
  });
}
