// shell · carries out the plan of a soak, deed by deed at its time, and mends what it has broken.
// Must never take the last server of a policy that is in rotation, or end before all is mended.
import { sendCrowd } from './crowd.ts';
import type { DoneDeed } from './journal.ts';
import { pauseOr } from './pause.ts';
import { type Deed, describeDeed } from './plan.ts';
import type { Stage } from './stage.ts';
import { registerStranger } from './stranger.ts';

type ChurnOptions = {
  plan: readonly Deed[];
  durationMs: number;
  stage: Stage;
  /** Ends it early. */
  signal: AbortSignal;
};

export type Churn = {
  /** What was done so far, in the order of its beginning. */
  readonly deeds: readonly DoneDeed[];
  readonly problems: readonly string[];
  /** Resolves when the time is up or the signal has fired, and everything is mended. */
  readonly over: Promise<void>;
};

/** Begins at once. */
export function startChurn(options: ChurnOptions): Churn {
  const deeds: DoneDeed[] = [];
  const problems: string[] = [];
  return { deeds, problems, over: carryOut(options, deeds, problems) };
}

async function carryOut(
  { plan, durationMs, stage, signal }: ChurnOptions,
  deeds: DoneDeed[],
  problems: string[],
): Promise<void> {
  const startMs = performance.now();
  const mending = new AbortController();
  const underWay: Promise<void>[] = [];
  for (const deed of plan) {
    await pauseOr(startMs + deed.atMs - performance.now(), signal);
    if (signal.aborted) break;
    const done: DoneDeed = { deed, atMs: performance.now() - startMs, endedMs: null, isSkipped: false };
    deeds.push(done);
    const task = doDeed(deed, stage, mending.signal)
      .then((isDone) => {
        done.isSkipped = !isDone;
        done.endedMs = performance.now() - startMs;
      })
      .catch((error: Error) => void problems.push(`${describeDeed(deed)}: ${error.message}`));
    underWay.push(task);
  }
  await pauseOr(startMs + durationMs - performance.now(), signal);
  mending.abort();
  await Promise.all(underWay);
}

/** @returns false when it was left out */
async function doDeed(deed: Deed, stage: Stage, mending: AbortSignal): Promise<boolean> {
  switch (deed.kind) {
    case 'kill':
    case 'freeze':
    case 'restart':
      return await hitServer(deed, stage, mending);
    case 'newcomer': {
      const guest = await stage.makeGuest(deed.guest, deed.policy);
      await guest.start();
      await pauseOr(deed.lastsMs, mending);
      await guest.stop();
      return true;
    }
    case 'stranger': {
      const leave = await registerStranger(deed.guest, deed.policy, stage.proxy.port);
      await pauseOr(deed.lastsMs, mending);
      await leave();
      return true;
    }
    case 'visitors':
    case 'resets':
    case 'idlers':
    case 'unfinished':
    case 'garbage':
      await sendCrowd(stage.proxy.port, deed, mending);
      return true;
    default:
      return deed satisfies never;
  }
}

type ServerDeed = Extract<Deed, { server: number }>;

async function hitServer(deed: ServerDeed, stage: Stage, mending: AbortSignal): Promise<boolean> {
  const server = stage.residents.get(deed.server);
  if (server === undefined || !(await hasAnother(deed, stage)) || mending.aborted) return false;
  switch (deed.kind) {
    case 'kill':
      await server.kill();
      await pauseOr(deed.lastsMs, mending);
      await server.start();
      return true;
    case 'freeze':
      server.freeze(deed.lastsMs);
      await pauseOr(deed.lastsMs, mending);
      server.thaw();
      return true;
    case 'restart':
      await server.stop();
      await pauseOr(deed.lastsMs, mending);
      await server.start();
      return true;
    default:
      return deed.kind satisfies never;
  }
}

// The plan leaves time for that; a machine that is slower than was thought must not turn it into an outage.
async function hasAnother({ policy, server }: ServerDeed, stage: Stage): Promise<boolean> {
  const others = [...stage.residents.values()]
    .filter((one) => one.policy === policy && one.id !== String(server))
    .map(({ id }) => id);
  const { policies } = await stage.status();
  const rows = policies.find((row) => row.policy === policy)?.servers ?? [];
  return rows.some(({ id, state }) => state === 'ready' && others.includes(String(id)));
}
