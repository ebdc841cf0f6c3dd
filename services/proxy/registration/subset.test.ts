import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { State } from '../health/health.ts';
import { hasPlace, nextMove, rankOf } from './subset.ts';

type Server = { name: string; rank: number; drainOrder: null; health: { state: State } };

function serversOf(salt: string, names: readonly string[], state: State): Server[] {
  return names.map((name) => ({ name, rank: rankOf(salt, name), drainOrder: null, health: { state } }));
}

// Makes moves until none is left. @returns the names in the subset, and how many moves it took
function settle(servers: readonly Server[], size: number): { names: string[]; moves: number } {
  let moves = 0;
  for (let move = nextMove(servers, size); move !== null; move = nextMove(servers, size)) {
    move.server.health.state = move.comesIn ? 'ready' : 'standby';
    moves += 1;
    assert.ok(moves <= 2 * servers.length, 'it does not end');
  }
  return { names: servers.filter(({ health }) => health.state === 'ready').map(({ name }) => name), moves };
}

function bestOf(servers: readonly Server[], size: number): string[] {
  const best = servers.toSorted((a, b) => a.rank - b.rank).slice(0, size);
  return servers.filter((server) => best.includes(server)).map(({ name }) => name);
}

const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 40 });
const sizes = fc.integer({ min: 1, max: 12 });

test('property: whatever it was before, the subset becomes the servers with the lowest ranks', () => {
  const states = fc.infiniteStream(fc.constantFrom<State>('ready', 'standby'));
  fc.assert(
    fc.property(fc.string(), names, sizes, states, (salt, all, size, stream) => {
      const servers = serversOf(salt, all, 'ready');
      for (const server of servers) server.health.state = stream.next().value as State;
      assert.deepEqual(settle(servers, size).names, bestOf(servers, size));
    }),
  );
});

test('property: a server that goes or comes moves one other at most', () => {
  fc.assert(
    fc.property(fc.string(), names, sizes, fc.nat(), (salt, all, size, pick) => {
      const servers = serversOf(salt, all, 'standby');
      const before = settle(servers, size).names;
      const [gone] = servers.splice(pick % servers.length, 1) as [Server];
      const without = settle(servers, size);
      assert.ok(without.moves <= 1);
      assert.ok(before.every((name) => name === gone.name || without.names.includes(name)));
      gone.health.state = hasPlace(gone, servers, size) ? 'ready' : 'standby';
      servers.push(gone);
      const again = settle(servers, size);
      assert.ok(again.moves <= 1);
      assert.deepEqual(again.names.toSorted(), before.toSorted());
    }),
  );
});

test('a suspect keeps its place, and who is evicted, drained or has not been probed yet has none', () => {
  const servers = serversOf('salt', ['a', 'b', 'c'], 'standby');
  settle(servers, 1);
  const [first, second, third] = servers.toSorted((a, b) => a.rank - b.rank) as [Server, Server, Server];
  first.health.state = 'suspect';
  assert.equal(nextMove(servers, 1), null);
  for (const state of ['evicted', 'ejected', 'leaving', 'joining'] as const) {
    first.health.state = state;
    assert.deepEqual(nextMove(servers, 1), { server: second, comesIn: true });
  }
  first.health.state = 'ready';
  const order = { by: 'root', reason: '', sinceWallMs: 0 };
  assert.equal(hasPlace(third, [{ ...first, drainOrder: order }, third], 1), true);
  assert.equal(hasPlace(third, [first, third], 1), false);
});

test('a subset of 0 is all servers', () => {
  const servers = serversOf('salt', ['a', 'b', 'c'], 'ready');
  assert.equal(nextMove(servers, 0), null);
  assert.equal(hasPlace(servers[0] as Server, servers, 0), true);
});

test('many proxies choose each server about as often, with no more chance than in a lottery', () => {
  const [proxies, size] = [2000, 20];
  const all = Array.from({ length: 200 }, (_, at) => `["1","${at}"]`);
  const chosen = new Map(all.map((name) => [name, 0]));
  for (let proxy = 0; proxy < proxies; proxy += 1) {
    for (const name of bestOf(serversOf(`boot${proxy}`, all, 'ready'), size))
      chosen.set(name, (chosen.get(name) ?? 0) + 1);
  }
  const mean = (proxies * size) / all.length;
  const spread = [...chosen.values()].reduce((sum, count) => sum + (count - mean) ** 2, 0) / all.length;
  // Of a draw without replacement, within what 200 counts of it can show.
  const expected = mean * (1 - size / all.length);
  assert.ok(spread > expected * 0.6 && spread < expected * 1.5, `variance ${spread}, expected ${expected}`);
});
