import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { connectPeer } from '../../../test-support/peers.ts';
import { ROOT } from '../../kit/project.ts';
import { buildFlame, functionCosts } from './flame.ts';
import { parseProfileCommand } from './options.ts';
import { clockUs, profileProxy } from './record.ts';

test('a profile of a real proxy shows its own functions, and only the time that was asked for', async (t) => {
  const { profile, made } = await profileProxy(async ({ port }) => {
    const peer = connectPeer(port);
    const fromUs = clockUs();
    // Nobody serves the policy, but they are read, parsed and answered all the same.
    for (let sent = 0; sent < 300; sent += 1) {
      peer.send({ type: 0, srcid: 1, privPoliId: 'none', payload: hash('sha1', `${sent}`) });
      assert.equal(typeof (await peer.nextFrame()).code, 'string');
    }
    const toUs = clockUs();
    peer.close();
    return { span: { fromUs, toUs } };
  }, t.signal);
  assert.equal(profile.endTime - profile.startTime, made.span.toUs - made.span.fromUs);
  const flame = buildFlame(profile, pathToFileURL(`${ROOT}/`).href);
  const ours = functionCosts(flame).filter(({ category }) => category === 'ours');
  assert.ok(
    ours.some(({ place }) => place.startsWith('services/proxy/clients/client-connection.ts:')),
    `no function of client-connection.ts among ${ours.map(({ name, place }) => `${name} ${place}`).join(', ')}`,
  );
  // What a proxy does at its start only.
  assert.ok(!functionCosts(flame).some(({ name }) => name === 'startProxy'));
});

test('the command line', () => {
  const byDefault = { mode: 'keep', connections: 64, payloadBytes: 64, seconds: 5, reportFolder: null };
  assert.deepEqual(parseProfileCommand([]), byDefault);
  assert.deepEqual(parseProfileCommand(['--mode', 'oneshot', '--seconds', '2', '--report', 'x']), {
    ...byDefault,
    mode: 'oneshot',
    seconds: 2,
    reportFolder: 'x',
  });
  for (const args of [
    ['--seconds', '0'],
    ['--payload', '7'],
    ['--mode', 'open'],
    ['more'],
    ['--report', ' '],
  ]) {
    assert.throws(() => parseProfileCommand(args), { name: 'UsageError' }, args.join(' '));
  }
});
