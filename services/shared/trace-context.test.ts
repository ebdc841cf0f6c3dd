// test · the trace that a packet belongs to is read from it and written into it, and nothing else of it changes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTraceparent, parseTraceparent, traceOf, withTraceparent } from './trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const PARENT = `00-${TRACE}-${SPAN}-01`;
const OTHER = `00-${TRACE}-${'1'.repeat(16)}-00`;

test('a traceparent is read and written', () => {
  const context = { traceId: TRACE, spanId: SPAN, isSampled: true };
  assert.deepEqual(parseTraceparent(PARENT), context);
  assert.equal(formatTraceparent(context), PARENT);
  assert.equal(parseTraceparent(OTHER)?.isSampled, false);
});

for (const bad of [
  '',
  'x',
  PARENT.toUpperCase(),
  `${PARENT} `,
  `01${PARENT.slice(2)}`,
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `${PARENT}\n`,
]) {
  test(`${JSON.stringify(bad)} is none`, () => assert.equal(parseTraceparent(bad), null));
}

const WRITTEN: [before: string, after: string][] = [
  ['{"type":0}\n', `{"type":0,"traceparent":"${PARENT}"}\n`],
  ['{ "type" : 0 }', `{ "type" : 0 ,"traceparent":"${PARENT}"}`],
  ['{}', `{"traceparent":"${PARENT}"}`],
  [`{"traceparent":"${OTHER}","type":0}\n`, `{"traceparent":"${PARENT}","type":0}\n`],
  ['{"traceparent" : 7 , "type":0}\n', `{"traceparent" : "${PARENT}" , "type":0}\n`],
  [String.raw`{"\u0074raceparent":"x","type":0}`, String.raw`{"\u0074raceparent":"${PARENT}","type":0}`],
  [
    String.raw`{"payload":"},\"traceparent\":\"x\""}`,
    String.raw`{"payload":"},\"traceparent\":\"x\"","traceparent":"${PARENT}"}`,
  ],
  [`{"x":{"traceparent":"${OTHER}"}}`, `{"x":{"traceparent":"${OTHER}"},"traceparent":"${PARENT}"}`],
];
for (const [before, after] of WRITTEN) {
  test(`${before.trim()} gets one`, () => {
    const written = withTraceparent(before, PARENT);
    assert.equal(written, after);
    assert.deepEqual(traceOf(written), parseTraceparent(PARENT));
    assert.deepEqual(JSON.parse(written), { ...JSON.parse(before), traceparent: PARENT });
  });
}

test('what is no trace of the packet itself is none', () => {
  assert.equal(traceOf('{"type":0}'), null);
  assert.equal(traceOf(`{"x":{"traceparent":"${PARENT}"}}`), null);
  assert.equal(traceOf(`{"payload":"\\"traceparent\\":\\"${PARENT}\\""}`), null);
  assert.equal(traceOf('{"traceparent":null}'), null);
});
