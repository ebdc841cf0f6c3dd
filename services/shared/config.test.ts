// test · command lines and environment: what is accepted, and the sentence for what is not.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  commandLine,
  defaultValues,
  LOG_OPTIONS,
  parseHostPort,
  parseHostPorts,
  parseId,
  publishedProxy,
  requireWhole,
  UsageError,
  withEnvironment,
} from './config.ts';

const ROOT = join(import.meta.dirname, '..', '..');

const OPTIONS = {
  'admin-port': { type: 'number', default: 10_081, describe: 'port' },
  host: { type: 'string', default: 'localhost', describe: 'host' },
  verify: { type: 'boolean', default: false, describe: 'verify' },
  retry: { choices: ['never', 'always'], default: 'always', describe: 'retry' },
  token: { type: 'string', describe: 'token' },
  'tls-ca': { type: 'string', describe: 'a file' },
} as const;

const FROM_ENVIRONMENT: [string, Record<string, string>, object][] = [
  ['nothing', {}, {}],
  ['a number', { PROXY_ADMIN_PORT: '1234' }, { 'admin-port': 1234 }],
  ['a text', { PROXY_HOST: '0.0.0.0' }, { host: '0.0.0.0' }],
  ['a text of digits', { PROXY_TOKEN: '007' }, { token: '007' }],
  ['an empty value counts as none', { PROXY_HOST: '', PROXY_ADMIN_PORT: '' }, {}],
  ['true', { PROXY_VERIFY: 'true' }, { verify: true }],
  ['1', { PROXY_VERIFY: '1' }, { verify: true }],
  ['false', { PROXY_VERIFY: 'false' }, { verify: false }],
  ['0', { PROXY_VERIFY: '0' }, { verify: false }],
  ['a choice', { PROXY_RETRY: 'never' }, { retry: 'never' }],
  [
    'a path, from the repository',
    { PROXY_TLS_CA: './certs/ca.pem' },
    { 'tls-ca': join(ROOT, 'certs/ca.pem') },
  ],
  ['an absolute path', { PROXY_TLS_CA: '/certs/ca.pem' }, { 'tls-ca': '/certs/ca.pem' }],
  ["another role's variable", { SERVER_HOST: 'elsewhere' }, {}],
];

for (const [name, environment, changed] of FROM_ENVIRONMENT) {
  test(`the environment supplies ${name}, with a command line and without`, () => {
    const options = withEnvironment('PROXY', OPTIONS, environment);
    const plain = {
      'admin-port': 10_081,
      host: 'localhost',
      verify: false,
      retry: 'always',
      token: undefined,
      'tls-ca': undefined,
    };
    const expected: Record<string, unknown> = { ...plain, ...changed };
    assert.deepEqual(defaultValues(options), expected);
    const parsed = commandLine([], 'x').options(options).parseSync();
    for (const [key, value] of Object.entries(expected)) assert.equal(parsed[key], value, key);
  });
}

test('the command line wins over the environment', () => {
  const options = withEnvironment('PROXY', OPTIONS, { PROXY_HOST: 'from-environment' });
  assert.equal(commandLine(['--host', 'given'], 'x').options(options).parseSync().host, 'given');
});

test('every option names its variable', async () => {
  const help = await commandLine([], 'x')
    .options(withEnvironment('PROXY', OPTIONS, {}))
    .getHelp();
  for (const name of ['ADMIN_PORT', 'HOST', 'VERIFY', 'RETRY', 'TOKEN'])
    assert.ok(help.includes(`[PROXY_${name}]`));
});

const WRONG: [Record<string, string>, RegExp][] = [
  [{ PROXY_ADMIN_PORT: 'many' }, /PROXY_ADMIN_PORT is "many": it must be a number/],
  [{ PROXY_ADMIN_PORT: 'Infinity' }, /must be a number/],
  [{ PROXY_VERIFY: 'yes' }, /PROXY_VERIFY is "yes": it must be true or false/],
  [{ PROXY_RETRY: 'often' }, /PROXY_RETRY is "often": it must be one of never, always/],
];

for (const [environment, message] of WRONG) {
  test(`an environment that is wrong: ${JSON.stringify(environment)}`, () => {
    assert.throws(() => withEnvironment('PROXY', OPTIONS, environment), isUsageError(message));
  });
}

test('unknown options, missing values and wrong choices are bad usage', () => {
  const parse = (...args: string[]) =>
    commandLine(args, 'x')
      .options({ ...OPTIONS, ...LOG_OPTIONS })
      .parseSync();
  assert.throws(() => parse('--unknown'), isUsageError(/unknown/));
  assert.throws(() => parse('--retry', 'often'), isUsageError(/retry/));
  assert.throws(() => parse('--log-level', 'loud'), isUsageError(/log-level/));
  assert.throws(() => parse('--', '--retry', '5'), isUsageError(/"-- --retry 5" is not understood/));
});

const ADDRESSES: [string, string, number][] = [
  ['127.0.0.1:10000', '127.0.0.1', 10_000],
  ['proxy:1', 'proxy', 1],
  ['[::1]:65535', '::1', 65_535],
];

for (const [text, host, port] of ADDRESSES) {
  test(`an address: ${text}`, () => assert.deepEqual(parseHostPort('--proxy', text), { host, port }));
}

for (const text of [
  '',
  'proxy',
  ':80',
  'proxy:',
  'proxy:http',
  'proxy:0',
  'proxy:65536',
  '::1:80',
  'a:1:2',
  'proxy:-1',
]) {
  test(`not an address: "${text}"`, () => {
    assert.throws(() => parseHostPort('--proxy', text), isUsageError(/--proxy/));
  });
}

test('several addresses, with commas between', () => {
  const found = parseHostPorts('--proxy', 'a:10000, [::1]:2,10.0.0.1:3');
  assert.deepEqual(found, [
    { host: 'a', port: 10_000 },
    { host: '::1', port: 2 },
    { host: '10.0.0.1', port: 3 },
  ]);
  for (const text of ['', 'a:1,', ',a:1', 'a:1,b', 'a:1 b:2'])
    assert.throws(() => parseHostPorts('--proxy', text), isUsageError(/--proxy/), text);
});

test('the published proxy: 10000 unless PROXY_PUBLISH_PORT or PROXIES says otherwise', () => {
  assert.equal(publishedProxy({}), '127.0.0.1:10000');
  assert.equal(publishedProxy({ PROXY_PUBLISH_PORT: '' }), '127.0.0.1:10000');
  assert.equal(publishedProxy({ PROXY_PUBLISH_PORT: '10001' }), '127.0.0.1:10001');
  assert.equal(publishedProxy({ PROXY_PUBLISH_PORT: '192.0.2.1:10001' }), '192.0.2.1:10001');
  assert.equal(publishedProxy({ PROXY_PUBLISH_PORT: '0.0.0.0:10001' }), '127.0.0.1:10001');
  assert.equal(publishedProxy({ PROXY_PUBLISH_PORT: '[::1]:10001' }), '[::1]:10001');
  assert.equal(publishedProxy({ PROXY_PUBLISH_PORT: '10000-10001' }), '127.0.0.1:10000,127.0.0.1:10001');
  assert.equal(publishedProxy({ PROXY_PUBLISH_PORT: '[::1]:1-2' }), '[::1]:1,[::1]:2');
  assert.equal(publishedProxy({ PROXIES: '2' }), '127.0.0.1:10000,127.0.0.1:10001');
  assert.equal(publishedProxy({ PROXIES: '2', PROXY_PUBLISH_PORT: '5' }), '127.0.0.1:5,127.0.0.1:6');
  assert.equal(publishedProxy({ PROXIES: '1', PROXY_PUBLISH_PORT: '5-7' }), '127.0.0.1:5');
  assert.throws(() => publishedProxy({ PROXIES: 'x' }), /PROXIES must be a whole number from 1 to 100/);
  for (const text of [
    'http',
    '0',
    '65536',
    '1.5',
    'localhost:10000',
    '127.0.0.1:0',
    '2-1',
    '1-',
    '1-65536',
  ]) {
    assert.throws(
      () => publishedProxy({ PROXY_PUBLISH_PORT: text }),
      isUsageError(/PROXY_PUBLISH_PORT is ".*": it must be a port/),
    );
  }
});

test('whole numbers', () => {
  assert.equal(requireWhole('n', 1, 1, 5), 1);
  assert.equal(requireWhole('n', 5, 1, 5), 5);
  for (const value of [0, 6, 1.5, Number.NaN, '3', undefined, null]) {
    assert.throws(() => requireWhole('n', value, 1, 5), isUsageError(/n must be a whole number from 1 to 5/));
  }
});

test('ids of digits are numbers, as long as nothing is lost', () => {
  const ids = ['0', '12', '999999999999999', '1234567890123456', '007', '1e5', '-1', 'a', '1.5'].map(parseId);
  assert.deepEqual(ids, [0, 12, 999_999_999_999_999, '1234567890123456', '007', '1e5', '-1', 'a', '1.5']);
});

function isUsageError(message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof UsageError && message.test(error.message);
}
