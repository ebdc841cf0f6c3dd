// Where the names of faults are on the charts: none lies on another one, and none is lost.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { frameOf } from './browser/charts/frame.ts';
import { faultLabels } from './browser/charts/marks.ts';
import type { Fault } from './browser/model/contract.ts';

const UNTIL_MS = 600_000;
const frame = frameOf(800, 0, UNTIL_MS, 0);

function fault(kind: string, fromS: number): Fault {
  return { id: kind, kind, target: 'server-p1-1', detail: '', fromMs: fromS * 1000, untilMs: null };
}

function drawn(faults: readonly Fault[]): string[] {
  return faultLabels(faults, frame).map(({ content, row }) => `${row}: ${content}`);
}

describe('the names of faults', () => {
  test('far from each other are in one line', () => {
    assert.deepEqual(drawn([fault('kill', 10), fault('pause', 300)]), ['0: kill', '0: pause']);
  });

  test('close to each other are in two lines, and the next one is on top again', () => {
    const faults = [fault('pause', 100), fault('kill', 101), fault('garble', 200)];
    assert.deepEqual(drawn(faults), ['0: pause', '1: kill', '0: garble']);
  });

  test('are counted where all lines are taken', () => {
    const faults = ['pause', 'kill', 'slow', 'garble', 'flap'].map((kind, at) => fault(kind, 100 + at / 10));
    assert.deepEqual(drawn(faults), ['0: pause', '1: kill +1', '2: slow +1']);
  });

  test('that begin now stay within the canvas', () => {
    const [label] = faultLabels([fault('corrupt-answers', 599)], frame);
    assert.ok((label?.x ?? 0) + 'corrupt-answers'.length * 6.6 < frame.width);
  });
});
