// test · requests that wait: in which order they are served, and which one goes where all places are taken.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FairQueue, type Look, NO_LINES, type Sharer } from './fair-queue.ts';

type Item = { client: Sharer; name: string };

class Scene {
  readonly queue = new FairQueue<Item>();
  readonly #clients = new Map<string, Sharer>();

  /** A request whose first letter says which client it is of. */
  item(name: string): Item {
    const owner = name[0] as string;
    const client = this.#clients.get(owner) ?? { lines: NO_LINES };
    this.#clients.set(owner, client);
    return { client, name };
  }

  /** @returns those that had to go */
  add(limit: number, ...names: string[]): string[] {
    return names.flatMap((name) => this.queue.add(this.item(name), limit)?.name ?? []);
  }

  /** Serves so many, but for those that have to wait on. @returns who was served */
  serve(count: number, ...stuck: string[]): string {
    const served: string[] = [];
    this.queue.visit(({ name }): Look => {
      if (served.length === count) return 'stop';
      if (stuck.includes(name)) return 'waits';
      served.push(name);
      return 'served';
    });
    return served.join(' ');
  }

  lines(owner: string): Sharer['lines'] {
    return (this.#clients.get(owner) as Sharer).lines;
  }
}

test('clients that wait are served in turn, and each in the order of its requests', () => {
  const scene = new Scene();
  assert.deepEqual(scene.add(9, 'a1', 'a2', 'a3', 'b1', 'c1', 'c2'), []);
  assert.equal(scene.serve(9), 'a1 b1 c1 a2 c2 a3');
  assert.equal(scene.queue.length, 0);
});

test('one that comes later waits for one request of each that was there', () => {
  const scene = new Scene();
  scene.add(9, 'a1', 'a2', 'a3', 'b1', 'b2', 'b3');
  assert.equal(scene.serve(2), 'a1 b1');
  scene.add(9, 'a4');
  assert.equal(scene.serve(1), 'a2');
  scene.add(9, 'c1', 'c2');
  assert.equal(scene.serve(9), 'b2 a3 c1 b3 a4 c2');
});

test('those that ask one thing again and again keep nobody waiting', () => {
  const scene = new Scene();
  scene.add(9, 'a1', 'a2', 'a3', 'b1', 'c1');
  assert.equal(scene.serve(3), 'a1 b1 c1');
  for (const name of ['a2', 'a3']) {
    scene.add(9, 'b1', 'c1');
    assert.equal(scene.serve(3), `${name} b1 c1`);
  }
});

test('of a full queue the longest line loses its last request, to those that have fewer', () => {
  const scene = new Scene();
  assert.deepEqual(scene.add(4, 'a1', 'a2', 'a3', 'a4', 'a5'), ['a5']);
  assert.deepEqual(scene.add(4, 'b1'), ['a4']);
  assert.deepEqual(scene.add(4, 'c1'), ['a3']);
  // They have one or two places each: nobody can have two without another one having fewer.
  assert.deepEqual(scene.add(4, 'b2', 'c2', 'a6'), ['b2', 'c2', 'a6']);
  assert.deepEqual(scene.add(4, 'd1'), ['a2']);
  assert.deepEqual(scene.add(4, 'e1', 'd2'), ['e1', 'd2']);
  assert.equal(scene.serve(9), 'a1 b1 c1 d1');
});

test('the one that loses its last request gets the next place as if it had not had that', () => {
  const scene = new Scene();
  scene.add(3, 'a1', 'a2', 'a3', 'b1', 'a4');
  assert.equal(scene.serve(1), 'a1');
  assert.deepEqual(scene.add(3, 'a5'), []);
  assert.equal(scene.serve(9), 'b1 a2 a5');
});

test('those that can not be served yet are passed over, and keep their turn', () => {
  const scene = new Scene();
  scene.add(9, 'a1', 'a2', 'b1', 'b2');
  assert.equal(scene.serve(2, 'a1', 'b1'), 'a2 b2');
  scene.add(9, 'c1', 'a3');
  assert.equal(scene.serve(1, 'a1', 'a3'), 'b1');
  assert.equal(scene.serve(9), 'a1 c1 a3');
});

test('what comes back goes before all others, also into a full queue', () => {
  const scene = new Scene();
  scene.add(2, 'a1', 'b1');
  assert.equal(scene.serve(1), 'a1');
  scene.add(2, 'c1');
  scene.queue.addFirst(scene.item('a1'));
  assert.deepEqual(scene.add(2, 'd1', 'a2'), ['d1', 'a2']);
  assert.equal(scene.serve(9), 'a1 b1 c1');
});

test('a client that waits nowhere any more is not remembered, and each queue counts its own', () => {
  const scene = new Scene();
  const other = new FairQueue<Item>();
  scene.add(9, 'a1', 'a2');
  other.add(scene.item('a3'), 9);
  assert.deepEqual(
    scene.lines('a').map(({ items }) => items.length),
    [2, 1],
  );
  scene.queue.visit(() => 'over');
  assert.deepEqual(
    scene.lines('a').map(({ items }) => items.length),
    [1],
  );
  other.visit(() => 'served');
  assert.deepEqual(scene.lines('a'), []);
});

test('property: places are shared evenly, and none is passed by more of another client than it has before it', () => {
  type Known = Item & { owner: number; ahead: number; passedBy: number[]; wasStuck: boolean };
  const step = fc.record({
    kind: fc.constantFrom('come', 'come', 'serve', 'serve-others', 'end'),
    who: fc.nat(6),
    count: fc.nat(3),
  });
  const steps = fc.array(step, { maxLength: 200, size: 'max' });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), steps, (limit, all) => {
      const queue = new FairQueue<Known>();
      const clients = Array.from({ length: 7 }, (): Sharer => ({ lines: NO_LINES }));
      let waiting: Known[] = [];
      const of = (owner: number): Known[] => waiting.filter((item) => item.owner === owner);
      const lengths = (): number[] => clients.map((_, owner) => of(owner).length);
      const leave = (item: Known): void => {
        waiting = waiting.filter((one) => one !== item);
      };
      const come = (owner: number): void => {
        const ahead = of(owner).length;
        const most = Math.max(...lengths());
        const client = clients[owner] as Sharer;
        const item: Known = {
          client,
          name: '',
          owner,
          ahead,
          passedBy: clients.map(() => 0),
          wasStuck: false,
        };
        const out = queue.add(item, limit);
        if (waiting.length < limit) assert.equal(out, null);
        else if (most <= ahead + 1) assert.equal(out, item);
        else assert.equal(out, of(out?.owner ?? -1)[most - 1]);
        waiting.push(item);
        if (out !== null) leave(out);
      };
      const serve = (count: number, stuckOwner: number): void => {
        let left = count;
        queue.visit((item): Look => {
          const { owner, ahead, passedBy } = item;
          if (left === 0) return 'stop';
          if (owner === stuckOwner) return 'waits';
          left -= 1;
          assert.equal(of(owner)[0], item);
          leave(item);
          for (const one of waiting) one.passedBy[owner] = (one.passedBy[owner] as number) + 1;
          passedBy[owner] = 0;
          if (!item.wasStuck) assert.ok(Math.max(...passedBy) <= ahead + 1);
          return 'served';
        });
        for (const item of of(stuckOwner)) item.wasStuck = true;
      };
      const end = (owner: number, count: number): void => {
        let left = count;
        queue.visit((item): Look => {
          if (item.owner !== owner || left === 0) return 'waits';
          left -= 1;
          leave(item);
          return 'over';
        });
      };
      for (const { kind, who, count } of all) {
        if (kind === 'come') come(who);
        else if (kind === 'serve') serve(count, -1);
        else if (kind === 'serve-others') serve(count, who);
        else end(who, count);
        assert.ok(queue.length <= limit);
        assert.deepEqual(new Set(queue.toArray()), new Set(waiting));
        assert.equal(queue.length, waiting.length);
        assert.deepEqual(
          clients.map(({ lines }) => lines[0]?.items.length ?? 0),
          lengths(),
        );
      }
    }),
    { numRuns: 200 },
  );
});
