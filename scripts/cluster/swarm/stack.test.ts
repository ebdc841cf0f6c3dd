import assert from 'node:assert/strict';
import { test } from 'node:test';
import { useFakeDocker } from '../../../test-support/containers.ts';
import { stackSettings, takeDownStack } from './stack.ts';

test('every node publishes the same port, whatever range Compose has for several proxies', () => {
  const ranges = { PROXY_PUBLISH_PORT: '127.0.0.1:9-11', PROXY_PUBLISH_ADMIN_PORT: '7-9' };
  assert.deepEqual(stackSettings(3, { ...ranges, PROXIES: '3' }), {
    PROXIES: '3',
    PROXY_PUBLISH_PORT: '9',
    PROXY_PUBLISH_ADMIN_PORT: '7',
  });
});

test('more proxies than nodes is bad usage', () => {
  assert.throws(() => stackSettings(1, { PROXIES: '3' }), /one node has 1 at most; --nodes 3 makes three/);
  assert.throws(() => stackSettings(3, { PROXIES: '4' }), /3 nodes have 3 at most/);
  for (const PROXIES of ['', '0', 'x', '1.5']) {
    assert.throws(() => stackSettings(3, { PROXIES }), /PROXIES is "/);
  }
});

// Swarm removes what has ended at the same time: the engine calls that an error.
test('a container that Swarm itself is removing keeps nobody from taking the stack down', async (t) => {
  await useFakeDocker(
    t,
    `gone="$(dirname "$0")/gone"
    case "$*" in
      'node inspect'*) ;;
      'service ls'*) [ -e "$gone" ] || echo service ;;
      'ps --all'*label=com.docker*) [ -e "$gone" ] || echo 4711 ;;
      'rm --force 4711') touch "$gone"; echo 'removal of container 4711 is already in progress' >&2; exit 1 ;;
    esac`,
  );
  assert.equal(await takeDownStack('x'), 'gone: the stack');
});
