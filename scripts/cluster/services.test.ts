// Which servers the cluster has: what Compose says, override files included.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serverServices } from './services.ts';

const server = (policy: string, more = {}) => ({ environment: { SERVER_POLICY: policy }, ...more });

test('the services that serve a policy are found, whatever they are called, in the order of their policies', () => {
  const services = {
    proxy: { environment: { PROXY_PORT: '10000' } },
    'server-gold': server('10', { scale: 1 }),
    'server-p2': server('2', { deploy: { replicas: 3 } }),
    store: {},
    unset: { environment: { SERVER_POLICY: null } },
    'server-p1': server('1'),
  };
  assert.deepEqual(serverServices({ services }), [
    { name: 'server-p1', policy: '1', replicas: 1 },
    { name: 'server-p2', policy: '2', replicas: 3 },
    { name: 'server-gold', policy: '10', replicas: 1 },
  ]);
});
