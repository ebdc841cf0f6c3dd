// The limits follow from the proxy's options: a default that changes moves them, and Compose starts the proxy with it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NUMBERS, readProxyOptions } from '../../../services/proxy/options.ts';
import { emptyRecording } from '../../../test-support/chaos/recording-builder.ts';
import { composeSettings } from '../cluster.ts';
import * as limits from './limits.ts';
import { inTime, noServerOnly } from './replies.ts';

test('the limits are those of the proxy’s defaults', () => {
  const { DEATH_LIMIT_MS, HANG_LIMIT_MS, READMISSION_LIMIT_MS, REQUEST_TIMEOUT_MS } = limits;
  assert.deepEqual([DEATH_LIMIT_MS, HANG_LIMIT_MS, READMISSION_LIMIT_MS], [1750, 2750, 2750]);
  assert.deepEqual(
    [REQUEST_TIMEOUT_MS, limits.NO_SERVER_LIMIT_MS, limits.PROBE_TIMEOUT_MS],
    [2000, 600, 500],
  );
  assert.match(inTime.limit, /within 2250 ms/);
  assert.match(noServerOnly.limit, /NO_SERVER within 600 ms/);
});

type Limits = Omit<ReturnType<typeof limits.limitsFor>, 'environment'>;
/** A changed default, and the limits that it moves. */
const CHANGES: [name: keyof Parameters<typeof limits.limitsFor>[0], value: number, moved: Partial<Limits>][] =
  [
    ['health-interval', 3000, { deathMs: 3750, hangMs: 6750, readmissionMs: 6750 }],
    ['health-timeout', 700, { probeMs: 700, deathMs: 1950, hangMs: 2950, readmissionMs: 2950 }],
    ['fall', 3, { hangMs: 3750 }],
    ['rise', 4, { readmissionMs: 4750 }],
    ['request-timeout', 1500, { requestMs: 1500 }],
    ['hold', 900, { noServerMs: 1000 }],
  ];
for (const [name, value, moved] of CHANGES) {
  test(`another ${name} moves its limits, and no others`, () => {
    const { environment: _, ...before } = limits.limitsFor(NUMBERS);
    const { environment, ...after } = limits.limitsFor({ ...NUMBERS, [name]: { value } });
    assert.deepEqual(after, { ...before, ...moved });
    const read = readProxyOptions([], environment);
    assert.equal(read[NUMBERS[name].key], value);
  });
}

test('Compose starts the proxy with what it is judged by, whatever was set before', () => {
  const found = { services: {}, states: {}, settings: { PROXY_FALL: '9' } };
  const env = composeSettings(emptyRecording().plan, found);
  const read = readProxyOptions([], env);
  for (const [name] of CHANGES) assert.equal(read[NUMBERS[name].key], NUMBERS[name].value, name);
  assert.equal(Object.keys(limits.JUDGED_SETTINGS).length, CHANGES.length);
});
