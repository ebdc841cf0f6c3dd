import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../services/shared/config.ts';
import { parsePacket } from '../../services/shared/packet.ts';
import { requestTemplate } from './exchange.ts';
import { parseLoadCommand } from './options.ts';

test('request frames are valid, of the wanted size, and each unlike the others', () => {
  for (const bytes of [8, 64, 1024]) {
    const template = requestTemplate('2', bytes);
    for (const index of [0, 1, 35, 36, 999_999_999]) {
      const { frame, payload } = template(index);
      const packet = parsePacket(frame);
      assert.ok(packet.kind === 'request');
      assert.equal(packet.policy, '2');
      assert.equal(packet.payload, payload);
      assert.equal(Buffer.byteLength(packet.payload), bytes);
    }
    assert.notEqual(template(1).payload, template(2).payload);
  }
});

test('the command line, the environment, and what both refuse', () => {
  const { options, isJson } = parseLoadCommand(['--rate', '1000', '--connection', 'keep', '--json'], {
    LOAD_PROXY: '[::1]:99',
    LOAD_POLICIES: 'x,y',
    LOAD_RATE: '7',
  });
  assert.equal(options.rate, 1000);
  assert.equal(options.connection, 'keep');
  assert.deepEqual(options.proxies, [{ host: '::1', port: 99 }]);
  assert.deepEqual(options.policies, ['x', 'y']);
  assert.equal(isJson, true);
  assert.deepEqual(parseLoadCommand(['--policies', '2'], {}).options.policies, ['2']);
  const published = parseLoadCommand([], { PROXY_PUBLISH_PORT: '10001' }).options.proxies;
  assert.deepEqual(published, [{ host: '127.0.0.1', port: 10_001 }]);
  assert.deepEqual(retryOptions([], {}), [0, 5000]);
  assert.deepEqual(retryOptions(['--timeout', '700'], { LOAD_RETRY_FOR: '3000' }), [3000, 700]);
  assert.deepEqual(retryOptions(['--attempt-timeout', '9'], { LOAD_ATTEMPT_TIMEOUT: '8' }), [0, 9]);
  assert.deepEqual(retryOptions(['--retry-for', '5'], { LOAD_ATTEMPT_TIMEOUT: '8' }), [5, 8]);
  const refused = [
    ['--rate', '0'],
    ['--rate', 'x'],
    ['--duration', '-1'],
    ['--payload', '7'],
    ['--payload', '1025'],
    ['--policies', '1,,2'],
    ['--policies', '1,1'],
    ['--connection', 'both'],
    ['--proxy', 'nowhere'],
    ['--timeout', '1.5'],
    ['--retry-for', '-1'],
    ['--attempt-timeout', '0'],
    ['--what'],
    ['60'],
  ];
  for (const args of refused) assert.throws(() => parseLoadCommand(args, {}), UsageError, args.join(' '));
});

function retryOptions(args: string[], environment: NodeJS.ProcessEnv): number[] {
  const { retryForMs, attemptTimeoutMs } = parseLoadCommand(args, environment).options;
  return [retryForMs, attemptTimeoutMs];
}
