// What is measured of which target, and that the order gives none an advantage.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Choice, cellsOf, MODES, planRuns, targetsOf, warmUps } from './plan.ts';
import { TARGETS } from './targets/index.ts';

const NAMES = TARGETS.map(({ name }) => name).filter(
  (name) => !['six-servers', 'watched', 'logged'].includes(name) && !name.startsWith('workers-'),
);

const ALL: Choice = {
  parts: ['throughput', 'latency', 'pipeline'],
  targets: NAMES,
  modes: MODES,
  payloads: [64, 1000],
  connections: [1, 64, 512],
};

test('a target is one object with a name of its own, and says what --help shows', () => {
  const names = TARGETS.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const { description } of TARGETS) assert.match(description, /^\w.{20,}[^.]$/);
});

test('the cells of everything, each once, and who takes part', () => {
  const cells = cellsOf(ALL);
  assert.equal(cells.length, 14);
  assert.equal(new Set(cells.map(({ id }) => id)).size, 14);
  const targets = Object.fromEntries(cells.map((cell) => [cell.id, cell.targets.join(' ')]));
  assert.equal(targets['oneshot 64 B × 64'], NAMES.join(' '));
  assert.equal(
    targets['oneshot 1000 B × 64'],
    'direct bare-node haproxy haproxy-1 nginx baseline policy-proxy',
  );
  assert.equal(targets['keep 64 B × 512'], 'direct bare-node baseline policy-proxy');
  assert.equal(
    targets['open 64 B at 1000/s'],
    'direct bare-node haproxy haproxy-1 nginx baseline policy-proxy',
  );
  assert.equal(targets['pipeline 64 B × 64'], 'direct baseline policy-proxy');
});

const choices: [string, Partial<Choice>, string[]][] = [
  ['one part', { parts: ['pipeline'] }, ['pipeline 64 B × 64']],
  [
    'one cell',
    { parts: ['throughput'], modes: ['keep'], payloads: [300], connections: [7] },
    ['keep 300 B × 7'],
  ],
  ['a target that can do none of it', { parts: ['pipeline'], targets: ['nginx'] }, []],
];
for (const [name, choice, ids] of choices) {
  test(`cells: ${name}`, () => {
    assert.deepEqual(
      cellsOf({ ...ALL, ...choice }).map(({ id }) => id),
      ids,
    );
  });
}

test('each repetition runs each target of each cell once, every time beginning with another', () => {
  const cells = cellsOf({ ...ALL, parts: ['throughput'], modes: ['oneshot'], payloads: [1000] });
  const runs = planRuns(cells, 5);
  assert.equal(runs.length, 5 * 3 * 7);
  for (const cell of cells) {
    const orders = [1, 2, 3, 4, 5].map((repetition) =>
      runs.filter((run) => run.cell === cell && run.repetition === repetition).map(({ target }) => target),
    );
    for (const order of orders) assert.deepEqual(order.toSorted(), [...cell.targets].sort());
    assert.equal(new Set(orders.map(([first]) => first)).size, 5);
  }
});

test('no target runs behind the same one more often than behind another', () => {
  const cells = cellsOf({ ...ALL, parts: ['throughput'], targets: ['direct', 'baseline', 'policy-proxy'] });
  const behind = new Map<string, number>();
  for (const cell of cells) {
    for (let repetition = 1; repetition <= 6; repetition += 1) {
      const own = planRuns([cell], 6).filter((run) => run.repetition === repetition);
      for (const [at, run] of own.slice(1).entries()) {
        const pair = `${own[at]?.target} → ${run.target}`;
        behind.set(pair, (behind.get(pair) ?? 0) + 1);
      }
    }
  }
  assert.equal(behind.size, 6);
  assert.equal(new Set(behind.values()).size, 1, JSON.stringify([...behind]));
});

test('every target warms up in each mode once', () => {
  const kinds = warmUps(planRuns(cellsOf(ALL), 3)).map(({ target, cell }) => `${target} ${cell.mode}`);
  assert.equal(new Set(kinds).size, kinds.length);
  assert.equal(kinds.length, 8 + 4 + 7 + 3);
});

test('what has to be started', () => {
  const namesOf = (choice: Choice) => targetsOf(cellsOf(choice)).map(({ name }) => name);
  assert.deepEqual(namesOf({ ...ALL, parts: ['pipeline'] }), ['direct', 'baseline', 'policy-proxy']);
  assert.deepEqual(namesOf({ ...ALL, targets: ['nginx', 'haproxy'] }), ['haproxy', 'nginx']);
});
