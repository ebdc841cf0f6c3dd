// shell · starts the Docker daemon where nothing else does, and leaves it running.
// Must never stop a daemon: it may carry other people's containers.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { attempt, programEnvironment, run } from '../kit/command.ts';
import { Failure } from '../kit/failure.ts';
import type { Progress } from '../kit/progress.ts';

const DAEMON = 'dockerd';
const LOG_FILE = '/var/log/policy-proxy-dockerd.log';
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 200;
const TAIL_LINES = 12;

/**
 * Starts the daemon through systemd where that runs the machine, otherwise as a session of its own that outlives this
 * process, and waits until it answers.
 * @throws Failure with the last lines of its log
 */
export async function startDaemon(progress: Progress): Promise<void> {
  const { signal } = progress;
  if (existsSync('/run/systemd/system')) {
    progress.phase('starting the Docker service');
    await run('systemctl', ['enable', '--now', 'docker'], {
      timeoutMs: START_TIMEOUT_MS,
      signal,
      failure: { what: 'The Docker service did not start', next: 'Look at "journalctl -u docker".' },
    });
    return await waitForEngine(() => false, signal);
  }
  progress.phase(`starting ${DAEMON} (log: ${LOG_FILE})`);
  let hasEnded = false;
  const log = await open(LOG_FILE, 'a', 0o640);
  try {
    const daemon = spawn(DAEMON, [], {
      detached: true,
      env: programEnvironment(),
      stdio: ['ignore', log.fd, log.fd],
    });
    daemon.once('error', () => {
      hasEnded = true;
    });
    daemon.once('exit', () => {
      hasEnded = true;
    });
    daemon.unref();
  } finally {
    await log.close();
  }
  await waitForEngine(() => hasEnded, signal);
}

async function waitForEngine(hasEnded: () => boolean, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadline) {
    const wasOver = hasEnded();
    if ((await attempt('docker', ['info'], { timeoutMs: 10_000, signal })).isOk) return;
    // Ours may have ended because somebody else's was starting, so the engine is asked once more after that.
    if (wasOver) break;
    await sleep(POLL_MS, undefined, { signal });
  }
  const tail = (await readFile(LOG_FILE, 'utf8').catch(() => ''))
    .trimEnd()
    .split('\n')
    .slice(-TAIL_LINES)
    .join('\n');
  throw new Failure('The Docker Engine did not start.', `Its whole log is in ${LOG_FILE}.`, { tail });
}
