// The npm scripts: what ends npm ends the program too.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePortBelowEphemeral, PATIENCE_MS } from './peers.ts';

const ROOT = join(import.meta.dirname, '..');

test('every script is replaced by what it starts', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  assert.ok(Object.keys(scripts).length > 10);
  for (const [name, script] of Object.entries(scripts)) {
    assert.match(script, /^exec sh scripts\/run \S+\.ts$/, name);
  }
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`npm run proxy that gets ${signal} gives its port free`, async (t) => {
    const port = await freePortBelowEphemeral();
    const adminPort = await freePortBelowEphemeral();
    const npm = startNpm(t, ['run', 'proxy', '--', String(port), '--admin-port', String(adminPort)]);
    await until(() => accepts(port), 'the proxy listens');
    npm.kill(signal);
    await until(async () => !(await accepts(port)), 'the port is free');
  });
}

// In a process group of its own, of which only npm gets the signal.
function startNpm(t: TestContext, args: readonly string[]): ChildProcess {
  const npm = spawn('npm', args, { cwd: ROOT, stdio: 'ignore', detached: true });
  t.after(() => {
    try {
      process.kill(-(npm.pid as number), 'SIGKILL');
    } catch {
      // All of them have ended.
    }
  });
  return npm;
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  const isOpen = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return isOpen;
}

async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    assert.ok(performance.now() < deadlineMs, what);
    await sleep(50);
  }
}
