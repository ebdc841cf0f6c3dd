import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../shared/config.ts';
import { readProxyOptions } from './options.ts';

test('the defaults are those of the protocol, with and without yargs', () => {
  const bare = readProxyOptions([], {});
  assert.deepEqual(readProxyOptions(['10000'], {}), bare);
  const { port, adminPort, adminHost, healthIntervalMs, healthTimeoutMs, fall, rise, retry } = bare;
  assert.deepEqual([port, adminPort, adminHost], [10_000, 10_081, '127.0.0.1']);
  assert.deepEqual([healthIntervalMs, healthTimeoutMs, fall, rise], [1000, 500, 2, 2]);
  assert.equal(retry, 'always');
});

test('an argument beats the environment, the environment beats the default', () => {
  const environment = {
    PROXY_PORT: '1234',
    PROXY_FALL: '5',
    PROXY_VERIFY_ANSWERS: 'true',
    PROXY_RETRY: 'never',
  };
  const fromEnvironment = readProxyOptions([], environment);
  assert.deepEqual(
    [fromEnvironment.port, fromEnvironment.fall, fromEnvironment.verifyAnswers, fromEnvironment.retry],
    [1234, 5, true, 'never'],
  );
  assert.equal(readProxyOptions(['4321'], environment).port, 4321);
  assert.equal(readProxyOptions(['--port', '4321'], environment).port, 4321);
  assert.equal(readProxyOptions(['4321'], environment).fall, 5);
});

test('where spans go is read from the environment that is given, and the own variable goes first', () => {
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
  const { traceEndpoint } = readProxyOptions([], environment);
  assert.equal(traceEndpoint?.host, 'collector:4318');
  const own = { ...environment, PROXY_TRACE_ENDPOINT: 'http://own:4318' };
  assert.equal(readProxyOptions([], own).traceEndpoint?.host, 'own:4318');
});

test('networks are a list', () => {
  const { registerFrom } = readProxyOptions(['--register-from', '10.0.0.0/8, 192.168.1.1'], {});
  assert.deepEqual(registerFrom, ['10.0.0.0/8', '192.168.1.1']);
});

const refused: [string, string[], NodeJS.ProcessEnv, RegExp][] = [
  ['a port that is none', ['70000'], {}, /--port must be a whole number from 0 to 65535/],
  ['a port that is no number', ['abc'], {}, /--port must be a whole number/],
  ['a token file that came to nothing', ['--register-token-file', ''], {}, /--register-token-file is empty/],
  ['a list that came to nothing', ['--register-from', ','], {}, /--register-from is ","/],
  ['a yes that is none', ['--upstream-tls=yes'], {}, /--upstream-tls is "yes": it must be true or false/],
  ['the token of former times', [], { PROXY_REGISTER_TOKEN: 'x' }, /PROXY_REGISTER_TOKEN is no more/],
  ['no worker at all', ['--workers', '0'], {}, /--workers must be a whole number from 1 to 64, or auto/],
  ['workers that are no number', [], { PROXY_WORKERS: 'all' }, /--workers must be a whole number/],
  ['an unknown option', ['--prot', '1'], {}, /Unknown argument: prot/],
  ['a mode that there is not', ['--retry', 'maybe'], {}, /Invalid values/],
  [
    'a number in the environment that is none',
    [],
    { PROXY_RISE: 'two' },
    /PROXY_RISE is "two": it must be a number/,
  ],
  [
    'a mode in the environment that there is not',
    [],
    { PROXY_PROBE: 'x' },
    /PROXY_PROBE is "x": it must be one of/,
  ],
  ['more than all requests', ['--access-log', '2'], {}, /--access-log must be a number from 0 to 1/],
  ['a share that is none', ['--access-log', 'all'], {}, /--access-log must be a number from 0 to 1/],
  [
    'an interval of nothing',
    ['--health-interval', '0'],
    {},
    /--health-interval must be a whole number from 20/,
  ],
];
for (const [name, args, environment, sentence] of refused) {
  test(`refuses ${name}`, () => {
    assert.throws(
      () => readProxyOptions(args, environment),
      (error) => error instanceof UsageError && sentence.test(error.message),
    );
  });
}
