import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SAMPLE, SAMPLE_ROOT } from '../../../test-support/sample-profile.ts';
import { buildFlame, categoryTimes, type Frame, functionCosts } from './flame.ts';
import { drawFlame, FLAME_WIDTH } from './flame-svg.ts';
import { renderPage } from './page.ts';
import { formatTop } from './text.ts';

const FLAME = buildFlame(SAMPLE, SAMPLE_ROOT);

/** One line a frame: its depth, name, own and total time. */
function outline(frames: readonly Frame[], depth = 0): string[] {
  return frames.flatMap(({ name, selfUs, totalUs, children }) => [
    `${'  '.repeat(depth)}${name} ${selfUs} ${totalUs}`,
    ...outline(children, depth + 1),
  ]);
}

test('the tree has each function once on its path, the longest first, and nobody without time', () => {
  assert.deepEqual(outline(FLAME.children), [
    'onStreamRead 0 500',
    '  #onData 100 500',
    '    parsePacket 100 300',
    '      parse 100 100',
    '      parsePacket 100 100',
    '    (anonymous) 100 100',
    '(idle) 200 200',
    '(garbage collector) 100 100',
    '(program) 100 100',
    'processImmediate 0 100',
    '  #onData 100 100',
  ]);
  assert.equal(FLAME.totalUs, 1000);
  assert.equal(FLAME.idleUs, 200);
});

test('a function is found over all its paths, and calling itself counts once', () => {
  const costs = functionCosts(FLAME);
  const costOf = (wanted: string) => costs.find(({ name }) => name === wanted);
  assert.deepEqual(costOf('#onData'), {
    name: '#onData',
    place: 'services/proxy/client.ts:132',
    category: 'ours',
    selfUs: 200,
    totalUs: 600,
  });
  assert.deepEqual([costOf('parsePacket')?.selfUs, costOf('parsePacket')?.totalUs], [200, 300]);
  assert.equal(costOf('(idle)'), undefined);
  assert.deepEqual(
    costs.map(({ selfUs }) => selfUs),
    costs.map(({ selfUs }) => selfUs).toSorted((a, b) => b - a),
  );
});

test('every moment belongs to one category', () => {
  assert.deepEqual(categoryTimes(FLAME), {
    ours: 400,
    library: 100,
    node: 0,
    native: 100,
    program: 100,
    gc: 100,
    idle: 200,
  });
});

test('the drawing is as wide as the time, and callees lie within their callers', () => {
  const svg = drawFlame(FLAME);
  const rects = [
    ...svg.matchAll(
      /<g class="c-(\w+)"><title>([^\n]*)[^<]*<\/title><rect x="([\d.]+)" y="(\d+)" width="([\d.]+)"/g,
    ),
  ];
  const drawn = rects.map(([, category, name, x, y, width]) => ({
    category,
    name,
    x: Number(x),
    row: Number(y) / 18,
    width: Number(width),
  }));
  assert.equal(drawn.length, 11);
  const bottom = drawn.filter(({ row }) => row === 0);
  const whole = bottom.reduce((sum, { width }) => sum + width, 0);
  assert.ok(Math.abs(whole - FLAME_WIDTH) < 0.01);
  const onData = drawn.find(({ name, row }) => name === '#onData' && row === 1);
  assert.deepEqual(onData, { category: 'ours', name: '#onData', x: 0, row: 1, width: FLAME_WIDTH / 2 });
  const gc = drawn.find(({ category }) => category === 'gc');
  assert.equal(gc?.x, FLAME_WIDTH * 0.7);
});

test('a title says function, place, whose time it is, and shares of the busy time', () => {
  const svg = drawFlame(FLAME);
  assert.match(
    svg,
    /#onData\nservices\/proxy\/client\.ts:132 \(policy-proxy\)\n12\.5 % itself, 62\.5 % with what it calls/,
  );
  assert.match(svg, /\(idle\)\nwaiting for work\n20\.0 % of the time/);
});

test('the page stands alone and escapes what it is given', () => {
  const html = renderPage('a <title> & more', ['1 < 2'], FLAME);
  assert.match(html, /<h1>a &lt;title&gt; &amp; more<\/h1>/);
  assert.match(html, /1 &lt; 2/);
  assert.doesNotMatch(html, /(?:src|href)=|@import|url\(/);
  // Of the busy time; waiting is of the whole.
  assert.match(html, /policy-proxy 50\.0 %/);
  assert.match(html, /waiting for work 20\.0 %/);
});

test('the terminal shows the costliest functions with their places', () => {
  const [head, first] = formatTop(FLAME).split('\n');
  assert.match(head ?? '', /itself {4}total {2}function/);
  assert.match(first ?? '', /^ {2}25\.0 % {3}75\.0 % {2}#onData {22}services\/proxy\/client\.ts:132$/);
});
