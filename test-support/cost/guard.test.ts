import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge, MEASURE_WORDS } from './bounds.ts';
import { readBounds } from './bounds-file.ts';
import { requestsOf } from './client.ts';
import { measureAll } from './measure.ts';
import { explain } from './report.ts';
import { WORK } from './scenarios.ts';
import { startSubject } from './subject.ts';
import { findTracer } from './tracer.ts';

test('a request costs the proxy no more than its bounds', async (t) => {
  const bounds = await readBounds();
  const findings = judge(await measureAll(await findTracer(t.signal), t.signal), bounds);
  for (const finding of findings) {
    const { scenario, measure, verdict, note } = finding;
    await t.test(`${scenario}: ${MEASURE_WORDS[measure]} per request`, (one) => {
      // Neither good nor bad: the machine does not let anybody look, and the report of the tests says so.
      if (verdict === 'not measured') one.skip(`not measured here: ${note}`);
      else assert.equal(verdict, 'within', explain(finding, bounds, process.versions.node));
    });
  }
});

test('a proxy that does more for a request is found out', async (t) => {
  const { warmUp, measured } = WORK.pipelined;
  const subject = await startSubject({ environment: { PROXY_VERIFY_ANSWERS: '1' }, signal: t.signal });
  try {
    await subject.warmUp(warmUp);
    const { heapBytes } = await subject.measure('pipelined', measured);
    const { perRequest } = await readBounds();
    assert.ok(heapBytes / requestsOf(measured) > perRequest.pipelined.heapBytes);
  } finally {
    await subject.stop();
  }
});
