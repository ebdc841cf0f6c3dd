// Which folder may import from which: the rooms of scripts/ know kit and services only, and no two files import each other in a circle.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';
import { test } from 'node:test';

type Import = { from: string; to: string; isType: boolean };

const ROOMS = ['chaos', 'bench', 'simulate', 'fuzz', 'soak', 'load', 'cluster'];
const BETWEEN_ROOMS = ['chaos → cluster', 'chaos → load', 'soak → load'];
/** The rooms of a command whose room does not have its name. */
const ROOMS_OF_COMMANDS: Readonly<Record<string, string>> = {
  start: 'cluster',
  stop: 'cluster',
  status: 'cluster',
  upgrade: 'cluster',
  test: 'cluster',
  swarm: 'cluster',
  profile: 'bench',
};

const STATIC = /^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'(\.[^']+)'/gm;
const DYNAMIC = /\bimport\(()\s*'(\.[^']+)'/g;

function importsOf(files: ReadonlyMap<string, string>): Import[] {
  return [...files].flatMap(([from, text]) =>
    [...text.matchAll(STATIC), ...text.matchAll(DYNAMIC)].map(([, type, path = '']) => {
      return { from, to: join(dirname(from), path), isType: Boolean(type) };
    }),
  );
}

// `chaos` for scripts/chaos/run/x.ts, `start.ts` for scripts/start.ts, `services` for all of it.
function placeOf(path: string): string {
  const [top = '', second = ''] = path.split('/');
  return top === 'scripts' ? second : top;
}

function isAllowed(from: string, to: string): boolean {
  if (from === to || from === 'test-support') return true;
  if (to === 'services') return true;
  if (from === 'services') return false;
  if (to === 'kit') return true;
  const command = /^(.+)\.ts$/.exec(from)?.[1];
  if (command !== undefined) return to === (ROOMS_OF_COMMANDS[command] ?? command);
  return ROOMS.includes(from) && BETWEEN_ROOMS.includes(`${from} → ${to}`);
}

function forbiddenRoads(imports: readonly Import[]): string[] {
  const roads = imports
    .filter(({ from }) => !from.endsWith('.test.ts'))
    .map(({ from, to }) => [placeOf(from), placeOf(to)] as const)
    .filter(([from, to]) => !isAllowed(from, to));
  return [...new Set(roads.map((road) => road.join(' → ')))].sort();
}

/** Each circle once, as the files that can reach each other; types count in services only. */
function circles(imports: readonly Import[]): string[] {
  const next = new Map<string, string[]>();
  for (const { from, to, isType } of imports) {
    if (!isType || from.startsWith('services/')) next.set(from, [...(next.get(from) ?? []), to]);
  }
  const reachableFrom = (start: string): Set<string> => {
    const seen = new Set<string>();
    const open = [...(next.get(start) ?? [])];
    for (let file = open.pop(); file !== undefined; file = open.pop()) {
      if (!seen.has(file)) open.push(...(next.get(file) ?? []));
      seen.add(file);
    }
    return seen;
  };
  const reached = new Map([...next.keys()].map((file) => [file, reachableFrom(file)]));
  const found = [...reached].map(([file, files]) => {
    return [...files].filter((other) => files.has(file) && reached.get(other)?.has(file) === true);
  });
  return [
    ...new Set(found.filter(({ length }) => length > 0).map((files) => files.sort().join(' ↔ '))),
  ].sort();
}

test('no import is against the rules', () => {
  const paths = globSync('{scripts,services,test-support}/**/*.ts');
  assert.ok(paths.length > 100, `${paths.length} files`);
  const imports = importsOf(new Map(paths.map((path) => [path, readFileSync(path, 'utf8')])));
  assert.deepEqual([...forbiddenRoads(imports), ...circles(imports)], []);
});

test('the rules: what is forbidden is found, what is allowed is not', () => {
  const roads = (from: string, text: string) => forbiddenRoads(importsOf(new Map([[from, text]])));
  assert.deepEqual(roads('scripts/soak/a.ts', "import { x } from '../chaos/b.ts';"), ['soak → chaos']);
  assert.deepEqual(roads('scripts/kit/a.ts', "import type { X } from '../load/b.ts';"), ['kit → load']);
  assert.deepEqual(roads('scripts/start.ts', "import './chaos/b.ts';"), ['start.ts → chaos']);
  assert.deepEqual(roads('services/a/b.ts', "export * from '../../scripts/kit/c.ts';"), ['services → kit']);
  const dynamic = "const { x } = await import('../../test-support/b.ts');";
  assert.deepEqual(roads('scripts/load/a.ts', dynamic), ['load → test-support']);
  const allowed =
    "import {\n  a,\n  type B,\n} from '../kit/b.ts';\nimport '../load/c.ts';\nimport 'node:fs';\n";
  assert.deepEqual(roads('scripts/chaos/a.ts', allowed), []);
  assert.deepEqual(roads('scripts/fuzz/a.test.ts', "import { x } from '../../test-support/b.ts';"), []);
  assert.deepEqual(roads('scripts/upgrade.ts', "import { x } from './cluster/b.ts';"), []);
});

test('the rules: circles are found, of types in services only', () => {
  const files = (folder: string, kind: string) =>
    importsOf(
      new Map([
        [`${folder}/a.ts`, "import { b } from './b.ts';\nimport { d } from './d.ts';"],
        [`${folder}/b.ts`, `import ${kind}{ c } from './c.ts';`],
        [`${folder}/c.ts`, "import { type A } from './a.ts';"],
      ]),
    );
  const circle = (folder: string) => `${folder}/a.ts ↔ ${folder}/b.ts ↔ ${folder}/c.ts`;
  assert.deepEqual(circles(files('scripts/kit', '')), [circle('scripts/kit')]);
  assert.deepEqual(circles(files('scripts/kit', 'type ')), []);
  assert.deepEqual(circles(files('services/x', 'type ')), [circle('services/x')]);
});
