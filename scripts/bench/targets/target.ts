// What a target of the benchmark is, and what several of them share.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt } from '../../kit/command.ts';
import { Failure } from '../../kit/failure.ts';
import { waitForListener } from '../../kit/ports.ts';
import { startProcess } from '../../kit/process.ts';
import type { Baseline } from '../baseline.ts';
import type { CellLoad } from '../plan.ts';

const ASK_TIMEOUT_MS = 10_000;
const DEFAULT_CHECKS_UP_TO = 2000;

/** A server behind a target. */
export type ServerAddress = { policy: number; host: string; port: number };

/** How many servers a target has, and policies, in turn. */
export type Size = { servers: number; policies: number };

/** What a target may use to start. */
export type TargetContext = {
  size: Size;
  /** A free one, to listen on. */
  port: number;
  /** Starts servers for this target alone; with a proxy's port they have registered with it when this resolves. */
  startServers(size: Size, proxyPort?: number): Promise<readonly ServerAddress[]>;
  baseline: Baseline | null;
  /** For configurations. */
  folder: string;
  signal: AbortSignal;
};

/** A target that accepts requests on a port of 127.0.0.1. */
export type StartedTarget = {
  port: number;
  /** The process that serves, or the parent of those that do; null where there is no proxy. */
  pid: number | null;
  /** How many policies it knows, if not as many as the others. */
  policies?: number;
  stop(): Promise<void>;
};

export type Target = {
  name: string;
  /** What it is, for `--help`. */
  description: string;
  /** False when it chooses a server once for each connection. */
  routesEveryRequest: boolean;
  /** Whether it takes part in a cell; it does unless this says otherwise. */
  suits?(load: CellLoad): boolean;
  /** Debian's packages that it needs. */
  packages?: readonly string[];
  /** The version, or null when it is not installed; a target without this is part of the project. */
  version?(context: Pick<TargetContext, 'baseline'>): Promise<string | null>;
  /** @throws Failure when it does not start */
  start(context: TargetContext): Promise<StartedTarget>;
};

/** The version in what a program prints; null when there is no such program. */
export async function versionOf(program: string, args: readonly string[]): Promise<string | null> {
  const { isOk, tail } = await attempt(program, args, { timeoutMs: ASK_TIMEOUT_MS });
  return isOk ? (/\d+\.\d+[\w.+~-]*/.exec(tail)?.[0] ?? 'unknown') : null;
}

/** How often each server is checked, in ms: each second, or with very many of them a thousand times a second in all. */
export function checkIntervalMs(servers: number): number {
  return servers > DEFAULT_CHECKS_UP_TO ? servers : 1000;
}

/** The servers of each policy. */
export function byPolicy(servers: readonly ServerAddress[]): [number, ServerAddress[]][] {
  return [...Map.groupBy(servers, ({ policy }) => policy)];
}

/**
 * Starts a program that prints nothing when it is ready: writes its configuration, and waits until it accepts connections.
 * @param peer.args its command line, with the path of the configuration
 * @throws Failure with its last lines when it ends instead, as with a configuration that does not suit its version
 */
export async function startPeer(
  peer: { name: string; program: string; configuration: string; args(file: string): string[] },
  { port, folder, signal }: TargetContext,
): Promise<StartedTarget> {
  const { name, program, configuration, args } = peer;
  const file = join(folder, `${name}.conf`);
  await mkdir(folder, { recursive: true });
  await writeFile(file, configuration);
  const { pid, stop, ended, tail } = await startProcess(program, args(file), { signal });
  const hasEnded = ended.then((how) => {
    throw new Failure(`${name} has ended: ${how}.`, 'Leave it out with --targets.', { tail: tail() });
  });
  // Once it accepts, its end is noticed by the readings of its CPU time.
  hasEnded.catch(() => {});
  try {
    await Promise.race([waitForListener(name, port, signal), hasEnded]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, pid, stop };
}
