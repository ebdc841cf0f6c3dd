import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientTlsOptions, serverServices, serversByPolicy } from './services.ts';

const SERVICES = {
  'server-gold': { environment: { SERVER_POLICY: '10' }, deploy: { replicas: 3 } },
  proxy: { environment: { PROXY_TLS_CERT: null } },
  'server-p2': { environment: { SERVER_POLICY: '2' }, scale: 1, deploy: { replicas: 2 } },
  'server-more': { environment: { SERVER_POLICY: '10' } },
};

test('services: those that serve a policy, with their replicas', () => {
  const found = serverServices({ services: SERVICES });
  assert.deepEqual(found, [
    { name: 'server-p2', policy: '2', replicas: 1 },
    { name: 'server-gold', policy: '10', replicas: 3 },
    { name: 'server-more', policy: '10', replicas: 1 },
  ]);
  assert.deepEqual(serversByPolicy(found), { 2: 1, 10: 4 });
});

test('services: the client speaks TLS where the proxy does', () => {
  assert.deepEqual(clientTlsOptions({ services: SERVICES }), []);
  const services = { proxy: { environment: { PROXY_TLS_CERT: '/run/secrets/proxy.pem' } } };
  assert.deepEqual(clientTlsOptions({ services }), ['--tls']);
  const secrets = { 'tls-ca': { file: '/x/ca.pem' } };
  assert.deepEqual(clientTlsOptions({ services, secrets }), ['--tls', '--tls-ca', '/x/ca.pem']);
});
