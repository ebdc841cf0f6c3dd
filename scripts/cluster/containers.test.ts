import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isUp, parseContainers, proxiesDown, publishedProxies } from './containers.ts';

test('containers: one a line, with its state and health', () => {
  const [server, proxy, foreign] = parseContainers(
    '0a1b2c3d4e5f\tmine-server-p1-1\texited\tserver-p1\taa\tExited (137) 2 minutes ago\t\n' +
      '123456789012\tmine-proxy-1\trunning\tproxy\tbb\tUp 3 hours (unhealthy)\t127.0.0.1:1->2/tcp\n' +
      'ffffffffffff\tother\tpaused\t\t\tUp 1 second (Paused)\t\n',
  );
  assert.deepEqual(server, {
    id: '0a1b2c3d4e5f',
    name: 'mine-server-p1-1',
    state: 'exited',
    service: 'server-p1',
    configHash: 'aa',
    isUnhealthy: false,
    ports: '',
  });
  assert.deepEqual([proxy?.isUnhealthy, proxy?.configHash], [true, 'bb']);
  assert.deepEqual([foreign?.service, foreign?.state], ['', 'paused']);
  assert.deepEqual(
    [server, proxy, foreign].map((one) => one && isUp(one)),
    [false, true, true],
  );
  assert.deepEqual(parseContainers(''), []);
});

test('the proxies that do not run, in words', () => {
  const containers = parseContainers(
    '1\tmine-proxy-10\tcreated\tproxy\ta\tCreated\t\n2\tmine-proxy-2\texited\tproxy\ta\tExited (137)\t\n' +
      '3\tmine-proxy-1\tpaused\tproxy\ta\tUp (Paused)\t\n4\tmine-server-p1-1\texited\tserver-p1\ta\tExited (0)\t\n',
  );
  assert.deepEqual(proxiesDown('mine', containers), [
    'proxy-2 is not running (exited).',
    'proxy-10 is not running (created).',
  ]);
});

test('the proxies that are published, by name, as they are reached on this machine', () => {
  const container = (name: string, ports: string, service = 'proxy') => ({
    id: '',
    name: `mine-${name}`,
    state: 'running',
    service,
    configHash: '',
    isUnhealthy: false,
    ports,
  });
  const found = publishedProxies('mine', [
    container('proxy-10', '0.0.0.0:10001->10000/tcp, [::]:10001->10000/tcp, 127.0.0.1:10082->10081/tcp'),
    container('proxy-2', '127.0.0.1:10082->10081/tcp, 192.0.2.1:10000->10000/tcp'),
    container('proxy-3', ''),
    container('other-1', '0.0.0.0:10000->10000/tcp, 127.0.0.1:10081->10081/tcp', 'other'),
  ]);
  assert.deepEqual(
    found.map(({ name, address }) => [name, address]),
    [
      ['proxy-2', '192.0.2.1:10000'],
      ['proxy-10', '127.0.0.1:10001'],
    ],
  );
  assert.equal(found[1]?.adminUrl, 'http://127.0.0.1:10082');
});
