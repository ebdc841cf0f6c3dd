// test · the policy table: what it keeps of the requests that name its policies.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { PolicyTable } from './policy-table.ts';

const POLICIES = 500;
const PACKET_CHARACTERS = 100_000;

test('a policy that is expected keeps nothing of the packet that named it', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const table = new PolicyTable();
  const expectOne = (number: number): void => {
    // A piece of a longer text holds on to it, so the text is not one that is shared.
    const packet = Buffer.alloc(PACKET_CHARACTERS, `${number} is a policy with a long name `).toString(
      'latin1',
    );
    table.expect(packet.slice(0, 30), 0);
  };
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let number = 100_000; number < 100_000 + POLICIES; number += 1) expectOne(number);
  collect();
  const bytes = (process.memoryUsage().heapUsed - before) / POLICIES;
  assert.ok(bytes < 5_000, `${Math.round(bytes)} bytes a policy`);
  assert.equal(table.route('100007 is a policy with a long')?.policy, '100007 is a policy with a long');
});

test('a policy of any characters is found again', () => {
  const table = new PolicyTable();
  for (const policy of ['1', 'é', '漢🙂', '\ud800', '\0']) {
    const route = table.expect(policy, 0);
    assert.equal(route?.policy, policy);
    assert.equal(table.route(policy), route);
  }
});
