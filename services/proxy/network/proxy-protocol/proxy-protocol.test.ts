// test · how many connections wait for their header, and for how long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../../shared/clock.ts';
import { LimitedLog, type Line } from '../../../shared/log.ts';
import { blockList } from '../blocks.ts';
import type { Connection } from '../network.ts';
import { ProxyHeaders } from './proxy-protocol.ts';

const HEADER = Buffer.from('PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n');
const REST = Buffer.from('{}');

function scene(descriptors: number) {
  const lines: Line[] = [];
  let nowMs = 0;
  let timers: { atMs: number; work: () => void }[] = [];
  const clock = {
    now: () => nowMs,
    after: (ms: number, work: () => void) => {
      timers.push({ atMs: nowMs + ms, work });
      return () => {};
    },
    soon: (work: () => void) => work(),
  } as unknown as Clock;
  const headers = new ProxyHeaders({
    balancers: blockList('--proxy-protocol', ['10.0.0.0/8']),
    descriptors,
    clock,
    log: new LimitedLog((line) => lines.push(line)),
  });
  return {
    lines,
    pass: (ms: number) => {
      nowMs += ms;
      const due = timers.filter(({ atMs }) => atMs <= nowMs);
      timers = timers.filter(({ atMs }) => atMs > nowMs);
      for (const { work } of due) work();
    },
    connect: () => {
      const socket = { remoteAddress: '10.0.0.9', isDestroyed: false, destroy: () => {} };
      socket.destroy = () => {
        socket.isDestroyed = true;
      };
      const rests: string[] = [];
      const reader = headers.read(socket as unknown as Connection, (rest) => {
        rests.push(String(rest));
        return null;
      });
      return { socket, reader, rests };
    },
  };
}

test('who has sent no whole header after 5 s is closed, and who has is not', () => {
  const { connect, pass, lines } = scene(1000);
  const [silent, half, whole] = [connect(), connect(), connect()];
  half.reader.onRead(HEADER.subarray(0, 5));
  whole.reader.onRead(Buffer.concat([HEADER, REST]));
  pass(4_999);
  const late = connect();
  half.reader.onRead(HEADER.subarray(5, 6));
  const states = () => [silent, half, whole, late].map(({ socket }) => socket.isDestroyed);
  assert.deepEqual(states(), [false, false, false, false]);
  pass(1);
  assert.deepEqual(states(), [true, true, false, false]);
  assert.match(String(lines[0]?.why), /within 5 s/);
  assert.deepEqual([lines.length, lines[0]?.from], [2, '10.0.0.9']);
  pass(4_999);
  assert.deepEqual(states(), [true, true, false, true]);
  assert.deepEqual([whole.rests, whole.socket.remoteAddress], [['{}'], '10.0.0.1']);
  // What still comes on those that are closed is nobody's.
  for (const { reader } of [silent, half, late]) {
    reader.onRead(HEADER);
    reader.onClose();
  }
  assert.equal(lines.length, 3);
  assert.deepEqual([silent.rests, half.rests, late.rests], [[], [], []]);
});

test('a timer is set again after all had gone', () => {
  const { connect, pass } = scene(1000);
  connect().reader.onRead(HEADER);
  pass(20_000);
  const later = connect();
  pass(5_000);
  assert.equal(later.socket.isDestroyed, true);
});

test('thousands that are late together are ended in several steps', () => {
  const { connect, pass } = scene(100_000);
  const all = Array.from({ length: 1000 }, connect);
  const ended = (): number => all.filter(({ socket }) => socket.isDestroyed).length;
  pass(5_000);
  assert.ok(ended() > 0 && ended() < 500, `${ended()} ended`);
  for (let step = 0; step < 20; step += 1) pass(1);
  assert.equal(ended(), 1000);
});

test('of too many that wait the oldest goes, so that who sends a header at once gets in', () => {
  for (const [descriptors, most] of [
    [Number.POSITIVE_INFINITY, 1024],
    [64, 8],
  ] as const) {
    const { connect, lines } = scene(descriptors);
    const silent = Array.from({ length: 3 * most }, () => {
      const prompt = connect();
      prompt.reader.onRead(HEADER);
      assert.equal(prompt.socket.isDestroyed, false);
      return connect();
    });
    const open = silent.filter(({ socket }) => !socket.isDestroyed);
    assert.equal(open.length, most);
    assert.deepEqual(open, silent.slice(-most));
    assert.match(String(lines[0]?.why), new RegExp(`${most} others came`));
    // Who has gone makes room.
    for (const { reader } of open) reader.onClose();
    const next = Array.from({ length: most }, connect);
    assert.ok(next.every(({ socket }) => !socket.isDestroyed));
  }
});
