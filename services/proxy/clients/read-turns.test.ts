// test · a turn of the loop takes a bounded number of packets, and who sends little does not wait behind who sends much.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReadTurns } from './read-turns.ts';

const PACKETS_A_TURN = 512;
const PACKETS_AT_ONCE = 16;

/** A loop that is turned by hand, and connections that bring packets by the number. */
function loop() {
  const due: (() => void)[] = [];
  const turns = new ReadTurns((work) => due.push(work));
  let takenThisTurn = 0;
  let turn = 0;
  const source = (endless: boolean, surcharge = 0) => {
    let untaken = 0;
    const self = {
      isInLine: false,
      used: 0,
      taken: 0,
      firstTakenInTurn: -1,
      get isReady() {
        return untaken > 0;
      },
      take(limit: number) {
        const now = Math.min(limit, untaken);
        if (now > 0 && self.firstTakenInTurn === -1) self.firstTakenInTurn = turn;
        untaken -= now;
        self.taken += now;
        takenThisTurn += now;
        turns.spend(self, now);
        turns.charge(self, now * surcharge);
      },
      takeSome(limit: number) {
        self.take(limit);
        // It is read again at once, and has as much more.
        if (endless && untaken === 0) untaken = 1_000;
        if (untaken > 0) turns.join(self);
      },
      /** As when bytes come. */
      bring(packets: number) {
        untaken += packets;
        const limit = turns.allowance(self);
        self.take(limit);
        if (untaken > 0) turns.join(self);
      },
    };
    return self;
  };
  return {
    source,
    /** Ends this turn of the loop. @returns what was taken in it, from the lines of the turn before on */
    endTurn: () => {
      const taken = takenThisTurn;
      takenThisTurn = 0;
      turn += 1;
      for (const work of due.splice(0)) work();
      return taken;
    },
    turn: () => turn,
    isIdle: () => due.length === 0,
  };
}

test('3,000 connections that send without end get no more than so many packets in a turn', () => {
  const { source, endTurn } = loop();
  const floods = Array.from({ length: 3_000 }, () => source(true));
  for (const flood of floods) flood.bring(1_000);
  for (let turn = 0; turn < 1_000; turn += 1) assert.ok(endTurn() <= PACKETS_A_TURN);
  const taken = floods.map((flood) => flood.taken);
  assert.ok(Math.max(...taken) - Math.min(...taken) <= 2 * PACKETS_AT_ONCE, 'all had the same share');
  assert.ok(Math.min(...taken) > 0);
});

test('among 3,000 that send without end, one request is taken at once or in the next turn', () => {
  const { source, endTurn, turn } = loop();
  for (let flood = 0; flood < 3_000; flood += 1) source(true).bring(1_000);
  // The first turn is full; and in none of the lines' turns is everything used up.
  const early = source(false);
  early.bring(1);
  endTurn();
  const later = Array.from({ length: 100 }, () => {
    endTurn();
    const good = source(false);
    const broughtIn = turn();
    good.bring(1);
    return { good, broughtIn };
  });
  endTurn();
  for (const { good, broughtIn } of later) assert.ok(good.firstTakenInTurn - broughtIn <= 1);
});

test('among 3,000 that send without end, who asks again and again for less than a share never waits for a round', () => {
  const { source, endTurn, turn } = loop();
  for (let flood = 0; flood < 3_000; flood += 1) source(true).bring(1_000);
  const good = source(false);
  for (let asked = 0; asked < 200; asked += 1) {
    // A round takes 188 turns, in which everybody has 16.
    for (let passed = 0; passed < 13; passed += 1) endTurn();
    good.firstTakenInTurn = -1;
    const broughtIn = turn();
    good.bring(1);
    endTurn();
    endTurn();
    assert.ok(good.firstTakenInTurn >= 0 && good.firstTakenInTurn - broughtIn <= 1, `request ${asked}`);
  }
});

test('new connections without end do not keep those from their turn that have more to be taken', () => {
  const { source, endTurn } = loop();
  const client = source(false);
  for (let turn = 0; turn < 500; turn += 1) {
    for (let one = 0; one < 40; one += 1) source(false).bring(PACKETS_AT_ONCE);
    if (turn === 10) client.bring(64);
    endTurn();
  }
  assert.equal(client.taken, 64);
});

test('who is charged for more than it takes gets so much less', () => {
  const { source, endTurn } = loop();
  const dear = Array.from({ length: 100 }, () => source(true, 3));
  const plain = Array.from({ length: 100 }, () => source(true));
  for (const one of [...dear, ...plain]) one.bring(1_000);
  for (let turn = 0; turn < 1_000; turn += 1) endTurn();
  const sum = (sources: readonly { taken: number }[]) => sources.reduce((all, { taken }) => all + taken, 0);
  const ratio = sum(plain) / sum(dear);
  assert.ok(ratio > 3.5 && ratio < 4.5, `${ratio}`);
});

test('who comes back again and again with a little too much does not stay new', () => {
  const { source, endTurn, turn } = loop();
  const greedy = Array.from({ length: 1_000 }, () => source(false));
  for (const one of greedy) one.bring(PACKETS_AT_ONCE + 1);
  for (let passed = 0; passed < 200; passed += 1) {
    assert.ok(endTurn() <= PACKETS_A_TURN);
    for (const one of greedy) if (!one.isReady) one.bring(PACKETS_AT_ONCE + 1);
  }
  const good = source(false);
  const broughtIn = turn();
  good.bring(1);
  for (let passed = 0; passed < 5; passed += 1) endTurn();
  assert.ok(good.firstTakenInTurn >= 0 && good.firstTakenInTurn - broughtIn <= 1);
});

test('nothing is left in a line, or to do, once all has been taken', () => {
  const { source, endTurn, isIdle } = loop();
  const sources = Array.from({ length: 200 }, () => source(false));
  for (const one of sources) one.bring(100);
  for (let turn = 0; turn < 200 && !isIdle(); turn += 1) endTurn();
  assert.equal(isIdle(), true);
  for (const one of sources) assert.deepEqual([one.taken, one.isInLine], [100, false]);
});
