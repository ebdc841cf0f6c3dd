import assert from 'node:assert/strict';
import { test } from 'node:test';
import { portWarning } from './local-ports.ts';
import { parseLoadCommand } from './options.ts';

const RANGE = [32_768, 60_999] as const;
const options = (...args: string[]) => parseLoadCommand(args, {}).options;

test('warns when a minute of connections takes more than half of the local ports', () => {
  const busy = options('--connection', 'per-request', '--rate', '1000', '--duration', '20');
  assert.match(portWarning(busy, RANGE) ?? '', /20000 connections .* more than the 14116 local ports/);
});

const quiet: [string, string[]][] = [
  ['connections are kept', ['--rate', '1000', '--duration', '600']],
  ['the run is short', ['--connection', 'per-request', '--rate', '1000', '--duration', '14']],
  [
    'the rate is low, however long it takes',
    ['--connection', 'per-request', '--rate', '200', '--duration', '600'],
  ],
];
for (const [name, args] of quiet) {
  test(`says nothing when ${name}`, () => assert.equal(portWarning(options(...args), RANGE), null));
}

test('says nothing where the range is not known', () => {
  assert.equal(portWarning(options('--connection', 'per-request', '--rate', '9000'), null), null);
});
