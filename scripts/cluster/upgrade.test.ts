import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../kit/failure.ts';
import { requireKnownCount } from './upgrade.ts';

test('several proxies do not become one because a command does not have their number', () => {
  assert.throws(
    () => requireKnownCount(3, {}),
    (error: unknown) =>
      error instanceof Failure &&
      error.exitCode === 2 &&
      /^3 proxies run/.test(error.message) &&
      error.next.includes('PROXIES=3 npm run upgrade'),
  );
});

const SAID: [running: number, settings: Record<string, string>][] = [
  [0, {}],
  [1, {}],
  [3, { PROXIES: '3' }],
  // Less, and meant.
  [3, { PROXIES: '1' }],
  [3, { PROXY_PUBLISH_PORT: '127.0.0.1:10000-10002' }],
];
for (const [running, settings] of SAID) {
  test(`${running} proxies with ${JSON.stringify(settings)} are upgraded`, () => {
    requireKnownCount(running, settings);
  });
}
