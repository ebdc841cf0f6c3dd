import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EngineFacts, type EnginePlan, planEngine } from './engine-plan.ts';

const DEBIAN = { id: 'debian', name: 'Debian GNU/Linux 12 (bookworm)', version: 12, codename: 'bookworm' };
const ALPINE = { id: 'alpine', name: 'Alpine Linux v3.20', version: 3, codename: '' };

const NOTHING: EngineFacts = {
  hasCli: false,
  engineVersion: null,
  engineProblem: '',
  composeVersion: null,
  hasDaemonProgram: false,
  dockerHost: '',
  isRoot: true,
  os: DEBIAN,
};
const EVERYTHING: EngineFacts = {
  ...NOTHING,
  hasCli: true,
  engineVersion: '26.1.5+dfsg1',
  composeVersion: '2.26.1-4',
  hasDaemonProgram: true,
};

const act = (install: string[], mustStart: boolean): EnginePlan => ({ kind: 'act', install, mustStart });

const plans: [what: string, facts: EngineFacts, plan: EnginePlan][] = [
  ['all is there', EVERYTHING, { kind: 'ready' }],
  [
    'all is there, on another system and as a user',
    { ...EVERYTHING, os: ALPINE, isRoot: false },
    { kind: 'ready' },
  ],
  ['nothing is there', NOTHING, act(['docker-cli', 'docker.io', 'docker-compose', 'docker-buildx'], true)],
  [
    'only a command line tool',
    { ...NOTHING, hasCli: true },
    act(['docker.io', 'docker-compose', 'docker-buildx'], true),
  ],
  ['an engine that is not running', { ...EVERYTHING, engineVersion: null }, act([], true)],
  [
    'an engine without Compose',
    { ...EVERYTHING, composeVersion: null },
    act(['docker-compose', 'docker-buildx'], false),
  ],
  [
    'an engine with an old Compose',
    { ...EVERYTHING, composeVersion: 'v2.19.9' },
    act(['docker-compose', 'docker-buildx'], false),
  ],
  [
    'an engine not running, on another system, as root',
    { ...EVERYTHING, engineVersion: null, os: ALPINE },
    act([], true),
  ],
];
for (const [what, facts, plan] of plans) {
  test(`engine plan: ${what}`, () => assert.deepEqual(planEngine(facts), plan));
}

const refusals: [what: string, facts: EngineFacts, said: RegExp][] = [
  ['nothing there and not root', { ...NOTHING, isRoot: false }, /Docker is not installed.*needs root/s],
  [
    'nothing there and not Debian',
    { ...NOTHING, os: ALPINE },
    /Debian 12 and 13, and this is Alpine Linux v3\.20/,
  ],
  ['an old engine', { ...EVERYTHING, engineVersion: '20.10.24' }, /20\.10\.24 is too old.*25 or newer/s],
  [
    'an engine elsewhere that does not answer',
    { ...EVERYTHING, engineVersion: null, dockerHost: 'tcp://127.0.0.1:1' },
    /DOCKER_HOST=tcp/,
  ],
  [
    'a user outside the group',
    { ...EVERYTHING, engineVersion: null, isRoot: false, engineProblem: 'permission denied while trying' },
    /group "docker"/,
  ],
  [
    'an old Compose as a user',
    { ...EVERYTHING, composeVersion: '2.3.3', isRoot: false },
    /Compose 2\.3\.3 is too old/,
  ],
];
for (const [what, facts, said] of refusals) {
  test(`engine plan: ${what} is refused with what to do`, () => {
    const plan = planEngine(facts);
    assert.equal(plan.kind, 'refuse');
    if (plan.kind === 'refuse') assert.match(`${plan.what} ${plan.next}`, said);
  });
}
