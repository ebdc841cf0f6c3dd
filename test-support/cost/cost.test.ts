// What a request costs the proxy, in what does not depend on the machine's speed: allocations and system calls.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type Bounds,
  MEASURE_WORDS,
  MEASURES,
  type Measured,
  makeBounds,
  objectionTo,
  SCENARIOS,
} from './bounds.ts';
import { requestsOf } from './client.ts';
import { measureAll, WORK } from './measure.ts';
import { startMeasuredProxy } from './measured-proxy.ts';

const FILE = join(import.meta.dirname, 'bounds.json');
const RUNS_FOR_BOUNDS = 3;
const bounds = JSON.parse(await readFile(FILE, 'utf8')) as Bounds;

if (process.env.RENEW_BOUNDS === '1') {
  test('bounds.json is renewed', async (t) => {
    const runs: Measured[] = [];
    while (runs.length < RUNS_FOR_BOUNDS) runs.push(await measureAll(t.signal));
    await writeFile(FILE, `${JSON.stringify(makeBounds(runs, bounds), null, 2)}\n`);
  });
} else {
  test('a request costs the proxy no more than its bounds', async (t) => {
    const measured = await measureAll(t.signal);
    for (const scenario of SCENARIOS) {
      for (const measure of MEASURES) {
        const value = measured[scenario][measure];
        await t.test(`${scenario}: ${MEASURE_WORDS[measure]} per request`, (one) => {
          if (value.value === null) one.skip(`not measured: ${value.note}`);
          else assert.equal(objectionTo(scenario, measure, value, bounds), null);
        });
      }
    }
  });

  test('a proxy that does more for a request is found out', async (t) => {
    const { warmUp, measured } = WORK.pipelined;
    const environment = { PROXY_VERIFY_ANSWERS: '1' };
    const proxy = await startMeasuredProxy({ environment, signal: t.signal });
    try {
      await proxy.warmUp(warmUp);
      const { heapBytes } = await proxy.measure('pipelined', measured);
      const value = { value: heapBytes / requestsOf(measured), note: '' };
      assert.match(objectionTo('pipelined', 'heapBytes', value, bounds) ?? '', /RENEW_BOUNDS=1/);
    } finally {
      await proxy.stop();
    }
  });
}
