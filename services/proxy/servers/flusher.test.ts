import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type Flushable, Flusher } from './flusher.ts';

class Connection implements Flushable {
  hasUnwritten = false;
  /** How many requests went out at each flush. */
  readonly writes: number[] = [];
  #gathered = 0;

  give(flusher: Flusher): void {
    flusher.add(this);
    this.hasUnwritten = true;
    this.#gathered += 1;
  }

  flush(): void {
    this.writes.push(this.#gathered);
    this.#gathered = 0;
    this.hasUnwritten = false;
  }
}

test('alone, a request is written once a turn has brought no other', async () => {
  const flusher = new Flusher(setImmediate);
  const connection = new Connection();
  for (const writes of [[1], [1, 1]]) {
    connection.give(flusher);
    await turn();
    await turn();
    assert.deepEqual(connection.writes, writes);
  }
});

test('what follows within a turn goes out with it, one write a connection', async () => {
  const flusher = new Flusher(setImmediate);
  const [a, b] = [new Connection(), new Connection()];
  a.give(flusher);
  b.give(flusher);
  await turn();
  a.give(flusher);
  a.give(flusher);
  await turn();
  await turn();
  assert.deepEqual([a.writes, b.writes], [[3], [1]]);
});

test('requests that never cease hold nothing back for more than three turns', async () => {
  const flusher = new Flusher(setImmediate);
  const connection = new Connection();
  for (let turns = 0; turns < 9; turns += 1) {
    connection.give(flusher);
    await turn();
  }
  assert.deepEqual(connection.writes, [3, 3, 3]);
});
