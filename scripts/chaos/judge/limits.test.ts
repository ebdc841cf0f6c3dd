// The limits are the promises of the design: who changes a default of the proxy sees here what it means for them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readProxyOptions } from '../../../services/proxy/options.ts';
import { emptyRecording } from '../../../test-support/chaos/recording-builder.ts';
import { composeSettings } from '../cluster.ts';
import {
  DEATH_LIMIT_MS,
  HANG_LIMIT_MS,
  JUDGED_SETTINGS,
  READMISSION_LIMIT_MS,
  REQUEST_TIMEOUT_MS,
} from './limits.ts';

test('the limits follow from what the proxy is started with', () => {
  const limits = [DEATH_LIMIT_MS, HANG_LIMIT_MS, READMISSION_LIMIT_MS, REQUEST_TIMEOUT_MS];
  assert.deepEqual(limits, [1750, 2750, 2750, 2000]);
});

test('Compose gets what the judge reckons with, and the proxy reads it as that', () => {
  const env = composeSettings(emptyRecording().plan, {
    services: {},
    states: {},
    settings: { PROXY_FALL: '9' },
  });
  assert.deepEqual(JUDGED_SETTINGS, {
    PROXY_HEALTH_INTERVAL: '1000',
    PROXY_FALL: '2',
    PROXY_RISE: '2',
    PROXY_HEALTH_TIMEOUT: '500',
    PROXY_REQUEST_TIMEOUT: '2000',
  });
  const { healthIntervalMs, fall, rise, healthTimeoutMs, requestTimeoutMs } = readProxyOptions([], env);
  assert.deepEqual(
    [healthIntervalMs, fall, rise, healthTimeoutMs, requestTimeoutMs],
    [1000, 2, 2, 500, 2000],
  );
});
