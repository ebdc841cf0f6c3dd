// shell · every fault by its kind, most of them a few calls on each target. facts.ts says what each of them is.

import type { Faults } from '../../../services/server/faults/misbehaviour.ts';
import { type DockerCluster, isUp, type Replica, type SavedAliases } from '../../cluster/docker.ts';
import { isRefused, readFaults, setFaults } from '../../cluster/server-faults.ts';
import { until } from '../../kit/time.ts';
import type { FaultKind, PlannedFault } from '../plan.ts';
import { type Arm, onEachTarget, type Proof, paramOf, type Target, type TargetVerbs } from './fault.ts';
import { exit, flap } from './repeated.ts';
import { nodeDrain, nodeKill, update } from './swarm.ts';

const GRACE_S = 10;
const KILLED = 137;
const UP_WITHIN_MS = 10_000;
const THROTTLED_WITHIN_MS = 2_000;
const POLL_MS = 50;
// A single probe may be held back too.
const PERIODS_THAT_PROVE = 3;

const KILL: TargetVerbs<void> = {
  strike: ({ cluster, replica }) => cluster.kill(replica),
  // Some 70 ms before Docker's call returns, on a busy machine much longer.
  struckAt: async ({ cluster, replica }) => Date.parse((await cluster.inspect(replica)).State.FinishedAt),
  prove: (target) => proveEnded(target, (exitCode) => exitCode === KILLED),
  mend: ({ cluster, replica }) => cluster.start(replica),
};

const STOP: TargetVerbs<void> = {
  strike: ({ cluster, replica, fault }) => cluster.stop(replica, paramOf(fault, 'graceS', GRACE_S)),
  prove: (target) => proveEnded(target, () => true),
  mend: ({ cluster, replica }) => cluster.start(replica),
};

const RESTART: TargetVerbs<string> = {
  remember: (cluster, replica) => cluster.startedAt(replica),
  async strike({ cluster, replica, fault, memory: since }) {
    await cluster.restart(replica, paramOf(fault, 'graceS', 0));
    await cluster.waitUntilRunning(replica, { since, withinMs: UP_WITHIN_MS });
  },
  async prove({ cluster, replica, memory: since }) {
    const startedAt = await cluster.startedAt(replica);
    return { isProven: startedAt !== since, evidence: `${replica.name} started at ${startedAt}` };
  },
  mend: ({ cluster, replica }) => cluster.bringUp(replica),
};

const PAUSE: TargetVerbs<void> = {
  remember: (cluster, replica) => cluster.waitUntilChecked(replica),
  strike: ({ cluster, replica }) => cluster.pause(replica),
  async prove({ cluster, replica }) {
    const { Paused, Status } = (await cluster.inspect(replica)).State;
    return { isProven: Paused, evidence: `${replica.name} is ${Status}` };
  },
  mend: ({ cluster, replica }) => cluster.unpause(replica),
};

const PARTITION: TargetVerbs<SavedAliases> = {
  remember: (cluster, replica) => cluster.aliasesOf(replica),
  strike: ({ cluster, replica, memory }) => cluster.detach(replica, memory),
  async prove({ cluster, replica, memory }) {
    const left = Object.keys((await cluster.inspect(replica)).NetworkSettings.Networks);
    const hadSome = Object.keys(memory).length > 0;
    return {
      isProven: hadSome && left.length === 0,
      evidence: `${replica.name} is on ${left.join(', ') || 'no network'}${hadSome ? '' : ', as before'}`,
    };
  },
  async mend({ cluster, replica, memory }) {
    await cluster.attach(replica, memory);
    if (!(await cluster.isAttached(replica, memory)))
      throw new Error(`${replica.name} did not get its aliases back.`);
  },
};

// The engine hands out the lowest free address: the one with the higher address is started first and gets the lower one.
const SWAP: TargetVerbs<void> = {
  strike: ({ cluster, replica }) => cluster.kill(replica),
  mendFirst: (a, b) => addressNumber(b.replica) - addressNumber(a.replica),
  async prove({ cluster, replica: { name, address } }, all) {
    const now = (await cluster.find(name)).address;
    const other = all.find(({ replica }) => replica.name !== name)?.replica.address;
    return { isProven: now !== null && now === other, evidence: `${name} ${address} → ${now}` };
  },
  mend: ({ cluster, replica }) => cluster.start(replica),
};

const BURN: TargetVerbs<string> = {
  remember: (cluster, replica) => cluster.startedAt(replica),
  async strike({ cluster, replica, fault }) {
    // First this one: under the quota the control port answers late.
    await setFaults(replica, { burnMs: paramOf(fault, 'burnMs', 5) });
    await cluster.limitCpu(replica, paramOf(fault, 'cpuPercent', 5));
  },
  prove: ({ cluster, replica }) => proveThrottled(cluster, replica),
  async mend({ cluster, replica, memory: since }) {
    await cluster.limitCpu(replica, null);
    await turnOff(cluster, replica, since, { burnMs: 0 });
  },
};

/** All faults. */
export const FAULTS: Readonly<Record<FaultKind, Arm>> = {
  kill: onEachTarget(KILL),
  stop: onEachTarget(STOP),
  restart: onEachTarget(RESTART),
  pause: onEachTarget(PAUSE),
  flap,
  partition: onEachTarget(PARTITION),
  slow: setting((fault) => ({ delayMs: paramOf(fault, 'delayMs', 200) })),
  burn: onEachTarget(BURN),
  lie: setting((fault) => ({ lieProbability: paramOf(fault, 'probability', 0.05) })),
  mute: setting(() => ({ isMute: true })),
  garble: setting((fault) => ({ garbleProbability: paramOf(fault, 'probability', 1) })),
  exit,
  swap: onEachTarget(SWAP),
  scale,
  update,
  'node-drain': nodeDrain,
  'node-kill': nodeKill,
  'proxy-stop': onEachTarget(STOP),
  'proxy-kill': onEachTarget(KILL),
};

/** The fault that is settings of the server's control port. */
function setting(wanted: (fault: PlannedFault) => Partial<Faults>): Arm {
  return onEachTarget<string>({
    remember: (cluster, replica) => cluster.startedAt(replica),
    strike: ({ replica, fault }) => setFaults(replica, wanted(fault)),
    async prove({ replica, fault }) {
      const found: Partial<Faults> = await readFaults(replica);
      const settings = Object.entries(wanted(fault)) as [keyof Faults, unknown][];
      return {
        isProven: settings.every(([name, value]) => found[name] === value),
        evidence: `${replica.name} says ${settings.map(([name]) => `${name} ${found[name]}`).join(', ')}`,
      };
    },
    async mend({ cluster, replica, fault, memory: since }) {
      const settings = Object.entries(wanted(fault));
      const off = settings.map(([name, value]) => [name, typeof value === 'boolean' ? false : 0]);
      await turnOff(cluster, replica, since, Object.fromEntries(off));
    },
  });
}

/** Turns a server's faults off, unless the process that was started at `since` has ended and taken them along. */
async function turnOff(
  cluster: DockerCluster,
  replica: Replica,
  since: string,
  off: Partial<Faults>,
): Promise<void> {
  if (!isUp(await cluster.inspect(replica))) return;
  try {
    // Its address may be another one by now.
    await setFaults(await cluster.find(replica.name), off);
  } catch (error) {
    if (!isRefused(error) || (await cluster.startedAt(replica)) === since) throw error;
  }
}

/** A service gets another number of replicas, and its old number back. No replica is hit: nothing may go wrong. */
function scale({ cluster, fault }: Parameters<Arm>[0]): ReturnType<Arm> {
  // A plan with other targets or without the number is refused before it is run.
  const service = fault.targets[0] as string;
  const wanted = fault.params.replicas as number;
  let before: number | null = null;
  return {
    async inject() {
      before = (await cluster.replicas(service)).length;
      await cluster.scale(service, wanted);
    },
    async prove() {
      const replicas = await cluster.replicas(service);
      const running = replicas.filter(({ state }) => state === 'running').length;
      return {
        isProven: before !== wanted && replicas.length === wanted && running === wanted,
        evidence: `${service} has ${running} running replicas, ${before} before`,
      };
    },
    async heal() {
      if (before === null || (await cluster.replicas(service)).length === before) return;
      await cluster.scale(service, before);
    },
  };
}

async function proveEnded(
  { cluster, replica }: Target<void>,
  isWanted: (exitCode: number) => boolean,
): Promise<Proof> {
  const { Running, ExitCode } = (await cluster.inspect(replica)).State;
  const evidence = `${replica.name} ${Running ? 'is running' : `has ended with ${ExitCode}`}`;
  return { isProven: !Running && isWanted(ExitCode), evidence };
}

/** Whether the quota holds it back within 2 s: the quota alone proves nothing, without load it holds back nothing. */
export async function proveThrottled(cluster: DockerCluster, replica: Replica): Promise<Proof> {
  // Not from before: setting the quota may itself have held it back.
  const before = await cluster.throttledPeriods(replica);
  let periods = 0;
  const look = async (): Promise<boolean> => {
    periods = (await cluster.throttledPeriods(replica)) - before;
    return periods >= PERIODS_THAT_PROVE;
  };
  const isProven = await until(look, { withinMs: THROTTLED_WITHIN_MS, everyMs: POLL_MS });
  return { isProven, evidence: `${replica.name} was held back in ${periods} periods of 100 ms` };
}

function addressNumber({ address }: Replica): number {
  return (address ?? '').split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}
