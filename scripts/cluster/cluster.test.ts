import assert from 'node:assert/strict';
import { test } from 'node:test';
import { useFakeDocker } from '../../test-support/containers.ts';
import { type BroughtUp, composeEnvironment, lastWords, summarizeDown, summarizeUp } from './cluster.ts';

const named = (...ids: string[]) => ids.map((id) => ({ id, name: id.slice(0, 1) }));

const UP: [string, Partial<BroughtUp>, string, boolean][] = [
  [
    'nothing to do',
    { before: named('a', 'b'), after: named('a', 'b') },
    '2 containers (already running)',
    true,
  ],
  ['from nothing', { after: named('a', 'b') }, '2 containers: 2 just started', false],
  ['one of two', { before: named('a'), after: named('a', 'b') }, '2 containers: 1 just started', false],
  ['too many', { before: named('a', 'b', 'c'), after: named('a') }, '1 container: 2 removed', false],
  [
    'one replaced',
    { before: named('a', 'b1'), after: named('a', 'b2') },
    '2 containers: 1 just started',
    false,
  ],
  [
    'one paused',
    { before: named('a'), after: named('a'), unpaused: 1 },
    '1 container: 1 no longer paused',
    false,
  ],
  [
    'one unhealthy',
    { before: named('a'), after: named('a'), restarted: 1 },
    '1 container: 1 restarted',
    false,
  ],
];
for (const [name, what, summary, isSkipped] of UP) {
  test(`brought up: ${name}`, () => {
    const nothing = { before: [], after: [], unpaused: 0, restarted: 0 };
    assert.deepEqual(summarizeUp({ ...nothing, ...what }), isSkipped ? { skipped: summary } : summary);
  });
}

const DOWN: [number, string, boolean][] = [
  [0, 'nothing was running', true],
  [1, '1 container and its network are gone', false],
  [7, '7 containers and their network are gone', false],
];
for (const [found, summary, isSkipped] of DOWN) {
  test(`taken down: ${found}`, () =>
    assert.deepEqual(summarizeDown(found), isSkipped ? { skipped: summary } : summary));
}

const PORTS: [settings: Record<string, string>, proxies: string, port: string, adminPort: string][] = [
  [{}, '1', '10000', '10081'],
  [{ PROXIES: '3' }, '3', '10000-10002', '10081-10083'],
  [
    { PROXIES: '2', PROXY_PUBLISH_PORT: '127.0.0.1:9', PROXY_PUBLISH_ADMIN_PORT: '7' },
    '2',
    '127.0.0.1:9-10',
    '7-8',
  ],
  [{ PROXY_PUBLISH_PORT: '10-12' }, '3', '10-12', '10081-10083'],
  [{ PROXIES: '1', PROXY_PUBLISH_PORT: '10-12', PROXY_PUBLISH_ADMIN_PORT: '20-22' }, '1', '10', '20'],
];
for (const [settings, PROXIES, PROXY_PUBLISH_PORT, PROXY_PUBLISH_ADMIN_PORT] of PORTS) {
  test(`as many ports as proxies: ${JSON.stringify(settings)}`, () => {
    const found = composeEnvironment({ env: settings });
    const expected = { PROXIES, PROXY_PUBLISH_PORT, PROXY_PUBLISH_ADMIN_PORT };
    assert.deepEqual({ ...found, ...expected }, found);
  });
}

test('more proxies than ports is bad usage', () => {
  assert.throws(() => composeEnvironment({ env: { PROXIES: '0' } }), /PROXIES must be a whole number/);
  assert.throws(() => composeEnvironment({ env: { PROXIES: '2', PROXY_PUBLISH_PORT: '65535' } }), /65536/);
});

/** An engine with these containers, the state of each, each of which has logged its own id. */
function engineWith(containers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(containers).map(
    ([id, state]) => `${id}\\tx-${id}\\t${state}\\tserver\\thash\\tUp\\t\\n`,
  );
  return `case "$1" in
    ps) printf '${lines.join('')}' ;;
    logs) for last; do :; done; printf 'first\\nI am %s\\n' "$last" >&2 ;;
  esac`;
}

test('the last lines are those of the containers that have failed', async (t) => {
  const states = { good: 'running', looping: 'restarting', ended: 'exited' };
  await useFakeDocker(t, engineWith(states));
  const said = ['The last lines of x-ended:', 'first', 'I am ended'];
  assert.deepEqual((await lastWords()).split('\n'), [
    ...said,
    ...['The last lines of x-looping:', 'first', 'I am looping'],
  ]);
});

test('where no container has failed, the last lines are those of the first eight', async (t) => {
  const many = Array.from({ length: 12 }, (_, index) => [`server-${index + 1}`, 'running']);
  await useFakeDocker(t, engineWith({ ...Object.fromEntries(many), proxy: 'running' }));
  const speakers = [...(await lastWords()).matchAll(/last lines of x-(.*):/g)].map(([, name]) => name);
  assert.deepEqual(speakers, ['proxy', ...many.slice(0, 7).map(([name]) => name)]);
});
