// shell · one real server in a process of its own, that can be killed, frozen and started again.
// Must never leave it frozen or alive: it ends with this process, and its thaw is in other hands.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { type RunningProcess, startProcess } from '../kit/process.ts';
import { ROOT } from '../kit/project.ts';

const MAIN = join(ROOT, 'services', 'server', 'main.ts');
const TIED = new URL('../kit/tied.ts', import.meta.url).href;
const STOPPED_WITHIN_MS = 15_000;

// A process of its own, so that nobody stays frozen when this one is killed in between.
const FREEZE = 'kill -STOP "$1" && sleep "$2"; kill -CONT "$1"';

export class ServerProcess {
  readonly id: string;
  readonly policy: string;
  readonly #args: readonly string[];
  readonly #onCrash: (how: string) => void;
  #process: RunningProcess | null = null;

  /** @param onCrash told when it ends and nobody has ended it */
  constructor(
    { id, policy, port, proxyPort }: { id: string; policy: string; port: number; proxyPort: number },
    onCrash: (how: string) => void,
  ) {
    this.id = id;
    this.policy = policy;
    const where = ['--host', '127.0.0.1', '--proxy', `127.0.0.1:${proxyPort}`, '--log-level', 'error'];
    this.#args = [`--import=${TIED}`, MAIN, id, policy, String(port), ...where];
    this.#onCrash = onCrash;
  }

  get isRunning(): boolean {
    return this.#process !== null;
  }

  /** Starts it; it registers by itself. */
  async start(): Promise<void> {
    const started = await startProcess(process.execPath, this.#args, {
      // Nothing else of this process's own environment: a setting in .env would change what is judged.
      env: { PATH: process.env.PATH ?? '' },
      stopWithinMs: STOPPED_WITHIN_MS,
      hasChannel: true,
    });
    this.#process = started;
    void started.ended.then((how) => {
      if (this.#process !== started) return;
      this.#process = null;
      this.#onCrash(`server ${this.id} ended by itself: ${how} ${started.tail()}`.trim());
    });
  }

  /** Ends it without a warning. */
  async kill(): Promise<void> {
    const running = this.#take();
    if (running === null) return;
    running.child.kill('SIGKILL');
    await running.ended;
  }

  /** Ends it in good order; a frozen one is let go on for that. */
  async stop(): Promise<void> {
    const running = this.#take();
    if (running === null) return;
    running.child.kill('SIGCONT');
    await running.stop();
  }

  /** Freezes it for so long, whatever becomes of this process. */
  freeze(ms: number): void {
    const pid = this.#process?.pid;
    if (pid === undefined) return;
    const args = ['-c', FREEZE, 'freeze', String(pid), String(ms / 1000)];
    spawn('sh', args, { detached: true, stdio: 'ignore' })
      .on('error', () => {})
      .unref();
  }

  /** Lets it go on, earlier than was said. */
  thaw(): void {
    this.#process?.child.kill('SIGCONT');
  }

  #take(): RunningProcess | null {
    const running = this.#process;
    this.#process = null;
    return running;
  }
}
