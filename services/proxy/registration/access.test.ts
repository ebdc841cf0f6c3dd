import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../../shared/config.ts';
import type { SetupPacket } from '../../shared/packet.ts';
import { proofOf } from '../../shared/proof.ts';
import { type AccessOptions, RegistrationAccess } from './access.ts';

const TOKEN = Buffer.from('a token of enough bytes');
const SETUP: SetupPacket = {
  kind: 'setup',
  id: 7,
  policy: '2',
  listenPort: 9000,
  hasSession: true,
  keepsAlive: true,
  incarnation: 'boot-1',
  policyAsWritten: 1,
  canProve: true,
  proof: null,
  sessionsWith: [],
};

function access(options: Partial<AccessOptions> = {}): RegistrationAccess {
  let drawn = 0;
  const nonce = (): string => {
    drawn += 1;
    return `nonce ${drawn}`;
  };
  return new RegistrationAccess({
    registerToken: null,
    registerFrom: [],
    maxSetupsPerSource: 0,
    now: () => 0,
    nonce,
    ...options,
  });
}

function challenge(gate: RegistrationAccess, connection: object): string {
  const admission = gate.check(connection, '10.0.0.1', SETUP);
  assert.equal(admission.kind, 'challenged');
  return (admission as { nonce: string }).nonce;
}

describe('the networks', () => {
  const cases: [networks: string[], host: string, isListed: boolean][] = [
    [['10.0.0.0/8'], '10.255.0.1', true],
    [['10.0.0.0/8'], '11.0.0.1', false],
    [['10.0.0.0/8', '192.168.1.7'], '192.168.1.7', true],
    [['192.168.1.7'], '192.168.1.8', false],
    [['192.168.1.7/32'], '192.168.1.7', true],
    [['172.16.0.0/12'], '172.31.255.255', true],
    [['172.16.0.0/12'], '172.32.0.0', false],
    [['0.0.0.0/0'], '8.8.8.8', true],
    [['0.0.0.0/0'], '2001:db8::1', false],
    [['fd00::/8'], 'fd12::1', true],
    [['fd00::/8'], 'fe80::1', false],
    [['::1'], '::1', true],
    [['fe80::/10'], 'fe80::1%eth0', true],
    [['::/0'], '2001:db8::1', true],
    [['10.0.0.0/8'], '', false],
    [['10.0.0.0/8'], 'nonsense', false],
  ];
  for (const [networks, host, isListed] of cases) {
    test(`${networks.join(', ')} ${isListed ? 'lets in' : 'keeps out'} "${host}"`, () => {
      const { kind } = access({ registerFrom: networks }).check({}, host, SETUP);
      assert.equal(kind, isListed ? 'admitted' : 'refused');
    });
  }

  for (const network of [
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '10.0.0.0/-1',
    '10.0.0.0/1e1',
    '10.0.0.0/ 8',
    'fd00::/129',
    'fe80::1%eth0',
    'example.org',
    '/8',
    '',
  ]) {
    test(`"${network}" is no network`, () => {
      assert.throws(() => access({ registerFrom: [network] }), UsageError);
    });
  }
});

describe('the token', () => {
  test('is proved for the nonce of this connection', () => {
    const gate = access({ registerToken: TOKEN });
    const connection = {};
    const nonce = challenge(gate, connection);
    const proof = proofOf(TOKEN, nonce, SETUP);
    assert.deepEqual(gate.check(connection, '10.0.0.1', { ...SETUP, proof }), { kind: 'admitted' });
  });

  const changes: [name: string, change: Partial<SetupPacket>][] = [
    ['another id', { id: 8 }],
    ['another policy', { policy: '3' }],
    ['another port', { listenPort: 9001 }],
    ['another boot', { incarnation: 'boot-2' }],
  ];
  for (const [name, change] of changes) {
    test(`a proof is none for ${name}`, () => {
      const gate = access({ registerToken: TOKEN });
      const connection = {};
      const proof = proofOf(TOKEN, challenge(gate, connection), SETUP);
      assert.equal(gate.check(connection, '10.0.0.1', { ...SETUP, ...change, proof }).kind, 'refused');
    });
  }

  test('a proof is used up, right or wrong', () => {
    for (const first of ['right', 'wrong']) {
      const gate = access({ registerToken: TOKEN });
      const connection = {};
      const proof = proofOf(TOKEN, challenge(gate, connection), SETUP);
      gate.check(connection, '10.0.0.1', { ...SETUP, proof: first === 'right' ? proof : 'guess' });
      assert.equal(gate.check(connection, '10.0.0.1', { ...SETUP, proof }).kind, 'refused');
    }
  });

  test('a proof is none on another connection, nor after a newer challenge', () => {
    const gate = access({ registerToken: TOKEN });
    const [one, other] = [{}, {}];
    const proof = proofOf(TOKEN, challenge(gate, one), SETUP);
    challenge(gate, other);
    assert.equal(gate.check(other, '10.0.0.1', { ...SETUP, proof }).kind, 'refused');
    challenge(gate, one);
    assert.equal(gate.check(one, '10.0.0.1', { ...SETUP, proof }).kind, 'refused');
  });

  test('a proof with another token is wrong, and so is every other text', () => {
    const guess = fc.oneof(
      fc.string(),
      fc.constant(proofOf(Buffer.from('another token!!!'), 'nonce 1', SETUP)),
    );
    fc.assert(
      fc.property(guess, (proof) => {
        const gate = access({ registerToken: TOKEN });
        const connection = {};
        challenge(gate, connection);
        assert.equal(gate.check(connection, '10.0.0.1', { ...SETUP, proof }).kind, 'refused');
      }),
    );
  });

  test('a server that can prove nothing is told what to do', () => {
    const admission = access({ registerToken: TOKEN }).check({}, '10.0.0.1', { ...SETUP, canProve: false });
    const { sentence } = admission as { sentence: string };
    assert.match(sentence, /--register-token-file FILE .*REGISTER_TOKEN_FILE= npm start/);
    // A refusal is cut at 300 characters.
    assert.ok(sentence.length <= 300, sentence);
  });

  test('nothing is asked where there is none', () => {
    assert.equal(access().check({}, '10.0.0.1', { ...SETUP, canProve: false }).kind, 'admitted');
  });
});

test('what is refused, or asked for a proof, does not count', () => {
  const gate = access({ registerToken: TOKEN, maxSetupsPerSource: 2, registerFrom: ['10.0.0.0/8'] });
  for (let tries = 0; tries < 10; tries += 1) {
    const connection = {};
    gate.check({}, '11.0.0.1', SETUP);
    challenge(gate, connection);
    assert.equal(gate.check(connection, '10.0.0.1', { ...SETUP, proof: 'a guess' }).kind, 'refused');
  }
  assert.equal(gate.countNew('10.0.0.1'), null);
});

test('all addresses of one IPv6 network count together', () => {
  const gate = access({ maxSetupsPerSource: 2 });
  const isRefused = ['2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8:0:1::1'].map(
    (host) => gate.countNew(host) !== null,
  );
  assert.deepEqual(isRefused, [false, false, true, false]);
});

test('new servers from very many addresses are refused, those from known ones are not', () => {
  const gate = access({ maxSetupsPerSource: 2 });
  for (let source = 0; source < 65_536; source += 1) gate.countNew(`10.1.${source >> 8}.${source & 255}`);
  assert.match(gate.countNew('10.2.0.1') ?? '', /too many addresses/);
  assert.equal(gate.countNew('10.1.0.1'), null);
});

test('new servers are counted for each source, and anew every 10 s', () => {
  let nowMs = 1000;
  const gate = access({ maxSetupsPerSource: 2, now: () => nowMs });
  const isRefused = (host: string, times: number): boolean[] =>
    Array.from({ length: times }, () => gate.countNew(host) !== null);
  assert.deepEqual(isRefused('10.0.0.1', 3), [false, false, true]);
  assert.deepEqual(isRefused('10.0.0.2', 1), [false]);
  nowMs += 9_999;
  assert.deepEqual(isRefused('10.0.0.1', 1), [true]);
  nowMs += 1;
  assert.deepEqual(isRefused('10.0.0.1', 1), [false]);
});
