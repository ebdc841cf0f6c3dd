import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatError } from '../../services/shared/packet.ts';
import { type Ended, ended, startProgram } from '../../test-support/programs.ts';
import { answerTo, type Script, startScriptedProxy } from '../../test-support/scripted-proxy.ts';
import { resetConnection } from '../kit/reset-connection.ts';
import type { LoadResult } from './result.ts';

async function runCommand(args: string[]): Promise<Ended> {
  return await ended(startProgram('scripts/load.ts', args));
}

async function loadAgainst(script: Script, ...args: string[]): Promise<Ended> {
  const proxy = await startScriptedProxy(script);
  try {
    return await runCommand([
      '--proxy',
      `127.0.0.1:${proxy.port}`,
      '--rate',
      '100',
      '--duration',
      '0.2',
      ...args,
    ]);
  } finally {
    proxy.close();
  }
}

const answerRight: Script = (request, socket) => {
  socket.write(answerTo(request, `s${request.policy}`));
};

test('exit 0 and a report when all were answered right', async () => {
  const { code, stdout, stderr } = await loadAgainst(answerRight);
  assert.equal(code, 0, stdout + stderr);
  for (const line of [/sent +20 /, /answered +20/, /wrong +0/, /errors +0/, /lost +0/, /dropped +0/]) {
    assert.match(stdout, line);
  }
  assert.match(stdout, /latency +p50 [\d.]+ +p90 [\d.]+ +p99 [\d.]+ +p99\.9 [\d.]+ +max [\d.]+ +ms, n = 20/);
  assert.match(stdout, /1 +s1 +7 +100\.0 % +35\.0 %/);
  assert.equal(stderr, '');
});

test('--json prints one document and nothing else', async () => {
  const { code, stdout, stderr } = await loadAgainst(answerRight, '--json', '--connection', 'keep');
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trim().split('\n').length, 1);
  const result = JSON.parse(stdout) as LoadResult;
  assert.equal(result.ok, 20);
  assert.equal(result.options.connection, 'keep');
  assert.deepEqual(result.errors, {});
  assert.deepEqual(result.lostBy, {});
  assert.deepEqual(result.droppedBy, {});
  assert.deepEqual(Object.keys(result.policies), ['1', '2', '3']);
  assert.deepEqual(result.servers.s1, { answers: 7, share: 0.35 });
  assert.ok(result.latencyMs.p50 > 0 && result.latencyMs.max >= result.latencyMs.p99_9);
  assert.ok(result.achievedRate > 0 && result.achievedRate <= 100.001, String(result.achievedRate));
});

test('exit codes of runs with faults', async (t) => {
  const refuse: Script = (_request, socket) => {
    socket.write(formatError('NO_SERVER', 'Nobody serves this policy.'));
  };
  const lie: Script = (request, socket) => {
    socket.write(answerTo({ ...request, payload: 'another' }, 'a'));
  };
  const answerTwice: Script = (request, socket) => {
    socket.write(answerTo(request, 'a').repeat(2));
  };
  const holdBack: Script = (request, socket) => {
    setTimeout(() => socket.write(answerTo(request, 'a')), 1000);
  };
  const cases: [string, Script, string[], number, RegExp][] = [
    ['lost', (_request, socket) => resetConnection(socket), [], 1, /lost +20 +reset 20/],
    ['wrong', lie, [], 1, /wrong +20/],
    ['answered twice', answerTwice, [], 1, /stray +20/],
    ['error replies', refuse, [], 1, /errors +20 +NO_SERVER 20/],
    ['error replies that are allowed', refuse, ['--allow-errors'], 0, /errors +20 +NO_SERVER 20/],
    [
      'lost, with errors allowed',
      (_request, socket) => socket.end(),
      ['--allow-errors'],
      1,
      /lost +20 +closed 20/,
    ],
    ['dropped', holdBack, ['--max-in-flight', '1'], 4, /dropped +19 +in-flight-bound 19/],
  ];
  for (const [name, script, args, code, line] of cases) {
    await t.test(name, async () => {
      const ended = await loadAgainst(script, ...args);
      assert.equal(ended.code, code, ended.stdout + ended.stderr);
      assert.match(ended.stdout, line);
    });
  }
});

test('exit 2 on bad usage, 3 when the port is closed, each with a sentence', async () => {
  const usage = await runCommand(['--rate', 'fast']);
  assert.equal(usage.code, 2);
  assert.match(usage.stderr, /^\n--rate must be a number from .*\nTry: npm run load -- --help\n$/);

  const gone = await startScriptedProxy(answerRight);
  gone.close();
  const unreachable = await runCommand(['--proxy', `127.0.0.1:${gone.port}`, '--json']);
  assert.equal(unreachable.code, 3);
  assert.equal(unreachable.stdout, '');
  assert.match(
    unreachable.stderr,
    /^\nThe proxy at 127\.0\.0\.1:\d+ can't be reached \(connection refused\)/,
  );
});

test('Ctrl-C ends early with the report and exit 130; progress goes to standard error', async () => {
  const proxy = await startScriptedProxy(answerRight);
  const args = ['--proxy', `127.0.0.1:${proxy.port}`, '--rate', '50', '--duration', '600'];
  const program = startProgram('scripts/load.ts', args);
  await program.printed(/load: /);
  program.child.kill('SIGINT');
  const { code, stdout, stderr } = await ended(program);
  proxy.close();
  assert.equal(code, 130, stdout + stderr);
  assert.match(stderr, /^load: \d+ s, \d+\/30000 requests · ok \d+, wrong 0/);
  assert.match(stdout, /ended early: \d+ of 30000 were due/);
  assert.match(stdout, /lost +0/);
});
