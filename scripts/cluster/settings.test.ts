import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../kit/project.ts';
import { requireRoleSettings, roleVariables, SET_BY_COMPOSE, settingsWithoutEffect } from './settings.ts';

const COMPOSE = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
const OVER_TLS = readFileSync(join(ROOT, 'docker-compose.tls.yml'), 'utf8');

// Null hands on what the environment or .env says, and nothing where they say nothing; `${NAME:-…}` has a default of its own.
function variablesIn(text: string): Map<string, string> {
  const lines = [...text.matchAll(/^ +((?:PROXY|SERVER|CLIENT)_[A-Z_]+): *(.*)$/gm)];
  const names = lines.map(([, name = '']) => name).filter((name) => name !== 'SERVER_POLICY');
  assert.deepEqual(names, [...new Set(names)], 'no name is there twice: Compose refuses the file');
  return new Map(lines.map(([, name = '', value = '']) => [name, value]));
}

const variablesInCompose = (): Map<string, string> => variablesIn(COMPOSE);

test('every option of every role reaches its container', () => {
  const isPassedOn = ([name, value]: [string, string]) => value === '' || value.startsWith(`\${${name}:-`);
  const passedOn = [...variablesInCompose()].filter(isPassedOn).map(([name]) => name);
  const expected = roleVariables().filter((name) => !(name in SET_BY_COMPOSE));
  assert.deepEqual(passedOn.sort(), expected.sort());
});

test('what is not handed on is set, or left to the image', () => {
  const known = new Set(roleVariables());
  for (const [name, value] of variablesInCompose()) assert.ok(known.has(name), `${name}: ${value}`);
  const left = Object.keys(SET_BY_COMPOSE).filter((name) => !variablesInCompose().has(name));
  assert.deepEqual(left, ['SERVER_ID', 'SERVER_HOST', 'SERVER_CONTROL_PORT']);
});

test('the roles get the same options on Swarm as in Compose', () => {
  const onSwarm = {
    SERVER_PROXY: 'tasks.proxy:10000',
    // Its clients are outside of its network.
    PROXY_PEERS: '',
    // It reads no .env, and a secret can't be empty: there is always a token.
    SERVER_REGISTER_TOKEN_FILE: '/run/secrets/register-token',
    PROXY_REGISTER_TOKEN_FILE: '/run/secrets/register-token',
  };
  const inStack = variablesIn(readFileSync(join(ROOT, 'docker-stack.yml'), 'utf8'));
  const ofRoles = [...variablesInCompose()].filter(([name]) => !name.startsWith('CLIENT_'));
  assert.deepEqual(Object.fromEntries(inStack), { ...Object.fromEntries(ofRoles), ...onSwarm });
});

test('a name in .env that has no effect is warned of, with what to do instead', () => {
  const names = [
    ...['NODE_IMAGE', 'SERVERS_PER_POLICY', 'PROXY_PUBLISH_PORT', 'PROXY_HOLD', 'SERVER_LOG_LEVEL', 'CERTS'],
    ...['CLIENT_TIMEOUT', 'COMPOSE_FILE', 'https_proxy', 'GOLD_SERVERS'],
    ...['PROXY_PORT', 'PROXY_HOLDS', 'SERVER_TOKEN', 'SERVERS_PER_POLICIES', 'BUILD_NUMBER'],
  ];
  // biome-ignore lint/suspicious/noTemplateCurlyInString: as a Compose file has it
  const override = 'replicas: ${GOLD_SERVERS:-2}';
  assert.deepEqual(settingsWithoutEffect(names, names, [COMPOSE, OVER_TLS, override]), [
    'PROXY_PORT in .env does not reach the cluster: PROXY_PUBLISH_PORT is the port on this machine.',
    nothing('PROXY_HOLDS', '.env', 'Is PROXY_HOLD meant? "npm run proxy'),
    nothing('SERVER_TOKEN', '.env', '"npm run server'),
    nothing('SERVERS_PER_POLICIES', '.env', 'Is SERVERS_PER_POLICY meant? "npm start'),
    nothing('BUILD_NUMBER', '.env', '"npm start'),
  ]);
});

test('in the environment only names that begin as ours do are warned of', () => {
  const foreign = ['PATH', 'BUILD_NUMBER', 'HTTP_PROXY', 'GOLD_SERVER', 'PROXYCHAINS', 'CI_SERVER_HOST'];
  const known = ['PROXY_WORKERS', 'PROXIES', 'SERVERS_PER_POLICY', 'REGISTER_TOKEN_FILE', 'CLIENT_TLS'];
  const names = [...foreign, ...known, 'PROXY_WORKRES', 'PROXY_TIMEOUT_IN_S', 'PROXY_PORT'];
  assert.deepEqual(settingsWithoutEffect([], names, [COMPOSE]), [
    nothing('PROXY_WORKRES', 'the environment', 'Is PROXY_WORKERS meant? "npm run proxy'),
    nothing('PROXY_TIMEOUT_IN_S', 'the environment', '"npm run proxy'),
    'PROXY_PORT in the environment does not reach the cluster: PROXY_PUBLISH_PORT is the port on this machine.',
  ]);
});

function nothing(name: string, place: string, next: string): string {
  return `${name} in ${place} has no effect: nothing here reads it. ${next} -- --help" lists the settings.`;
}

const WRONG: [settings: Record<string, string>, message: RegExp][] = [
  [{ PROXY_WORKERS: 'abc' }, /^PROXY_WORKERS: --workers must be a whole number .* in \.env\.$/],
  [{ PROXY_HOLD: '-1' }, /^PROXY_HOLD: --hold must be a whole number/],
  [{ PROXY_FALL: 'two' }, /^PROXY_FALL is "two": it must be a number/],
  [{ PROXY_RETRY: 'sometimes' }, /^PROXY_RETRY is "sometimes"/],
  [{ SERVER_LOG_LEVEL: 'loud' }, /^SERVER_LOG_LEVEL is "loud"/],
];
for (const [settings, message] of WRONG) {
  test(`a setting that no container could start with: ${JSON.stringify(settings)}`, () => {
    assert.throws(() => requireRoleSettings(settings), { name: 'UsageError', message });
  });
}

test('settings that containers start with, and files that only they have', () => {
  requireRoleSettings({});
  requireRoleSettings({
    PROXY_WORKERS: '64',
    PROXY_HOLD: '',
    PROXY_TLS_CERT: '/run/secrets/proxy.pem',
    SERVER_TLS_KEY: '/run/secrets/server-key.pem',
    PROXY_UPSTREAM_TLS: '1',
    PROXY_PORT: 'any',
  });
});
