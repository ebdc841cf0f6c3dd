import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isUp, parseContainers } from './containers.ts';

test('containers: one a line, with its state and health', () => {
  const [server, proxy, foreign] = parseContainers(
    '0a1b2c3d4e5f mine-server-p1-1 exited server-p1 aa Exited (137) 2 minutes ago\n' +
      '123456789012 mine-proxy-1 running proxy bb Up 3 hours (unhealthy)\nffffffffffff other paused   Up 1 second (Paused)\n',
  );
  assert.deepEqual(server, {
    ...{ id: '0a1b2c3d4e5f', name: 'mine-server-p1-1', state: 'exited' },
    ...{ service: 'server-p1', configHash: 'aa', isUnhealthy: false },
  });
  assert.deepEqual([proxy?.isUnhealthy, proxy?.configHash], [true, 'bb']);
  assert.deepEqual([foreign?.service, foreign?.state], ['', 'paused']);
  assert.deepEqual(
    [server, proxy, foreign].map((one) => one && isUp(one)),
    [false, true, true],
  );
  assert.deepEqual(parseContainers(''), []);
});
