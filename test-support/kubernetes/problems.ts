// All that is wrong with a base.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { testProxy } from '../cluster.ts';
import type { Frame } from '../peers.ts';
import { type Base, type Files, resolveBase, serverDifferences } from './base.ts';
import { formProblems } from './form.ts';
import { type Facts, productProblems } from './product.ts';
import { referenceProblems } from './references.ts';
import { securityProblems } from './security.ts';

/** @returns a line for each; of the form alone where that is not right */
export async function problemsOf(files: Files, facts: Facts): Promise<string[]> {
  const base = resolveBase(files);
  const ofForm = (await Promise.all(base.resources.map(formProblems))).flat();
  // What goes on counts on the form.
  if (base.problems.length + ofForm.length > 0) return [...base.problems, ...ofForm];
  return [...meaningProblems(base, facts), ...serverDifferences(files)];
}

/** What is wrong with a base whose form is right. */
export function meaningProblems(base: Base, facts: Facts): string[] {
  return [...referenceProblems(base), ...securityProblems(base), ...productProblems(base, facts)];
}

/** Asks a proxy that is started for it. */
export async function factsOf(t: TestContext): Promise<Facts> {
  const folder = await mkdtemp(join(tmpdir(), 'policy-proxy-kubernetes-'));
  t.after(() => rm(folder, { recursive: true }));
  const tokenFile = join(folder, 'token');
  await writeFile(tokenFile, 'x'.repeat(64));
  const { adminPort } = await testProxy(t);
  const nothing = await fetch(`http://127.0.0.1:${adminPort}/nothing-of-that-name`);
  const { paths } = (await nothing.json()) as Frame;
  return { paths, tokenFile };
}
