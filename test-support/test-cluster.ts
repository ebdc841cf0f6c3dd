// shell · for tests: a cluster in containers, in a project and on ports of its own, and what it does under load.
import assert from 'node:assert/strict';
import { takeDown } from '../scripts/cluster/cluster.ts';
import { DockerCluster } from '../scripts/cluster/docker.ts';
import { fetchPolicies, type ServerRow } from '../scripts/kit/policies.ts';
import type { LoadResult } from '../scripts/load/result.ts';
import type { ClusterEvent } from '../services/proxy/status/events.ts';
import { networksOf } from './containers.ts';
import { freePortBelowEphemeral } from './peers.ts';
import { type Program, startProgram } from './programs.ts';

/** A load in a process of its own; `result` ends with it. */
export type RunningLoad = { result: () => Promise<LoadResult>; stop: () => void };

export type TestCluster = {
  project: string;
  env: Record<string, string>;
  containers: DockerCluster;
  adminUrl: string;
  /** host:port of the well-known port, on one address of this machine only. */
  proxyAddress: string;
  rows(): Promise<ServerRow[]>;
  /** Starts a load that lasts `seconds`, or until it is stopped. */
  load(seconds?: number, how?: { rate?: number; args?: string[] }): RunningLoad;
  /** Waits until the load has arrived: the proxy has answered some more requests. */
  underLoad(): Promise<void>;
  /** Runs one of the project's commands on this cluster. */
  command(file: string, settings?: Record<string, string>, args?: string[]): Program;
  /** Takes it down; nothing may be left of it. */
  remove(): Promise<void>;
};

/** A cluster of two servers for each policy, which is not up yet; what is left of one of the name is removed. */
export async function testCluster(
  project: string,
  settings: Record<string, string> = {},
): Promise<TestCluster> {
  const [port, adminPort] = [await freePortBelowEphemeral(), await freePortBelowEphemeral()];
  const proxyAddress = `127.0.0.1:${port}`;
  const env = {
    SERVERS_PER_POLICY: '2',
    PROXY_PUBLISH_PORT: proxyAddress,
    PROXY_PUBLISH_ADMIN_PORT: String(adminPort),
    ...settings,
  };
  const containers = new DockerCluster(project, env);
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  await takeDown({ project, env });
  const rows = async (): Promise<ServerRow[]> =>
    (await fetchPolicies(adminUrl)).policies.flatMap(({ servers }) => servers);
  const served = async (): Promise<number> => (await rows()).reduce((sum, row) => sum + row.served, 0);
  return {
    project,
    env,
    containers,
    adminUrl,
    proxyAddress,
    rows,
    load(seconds = 120, { rate = 500, args = [] } = {}) {
      const to = args.includes('--proxy') ? [] : ['--proxy', proxyAddress];
      const flags = ['--rate', String(rate), '--duration', String(seconds), '--json'];
      const program = startProgram('scripts/load.ts', [...flags, ...to, ...args]);
      return {
        result: async () => {
          await program.exited((seconds + 20) * 1000);
          return JSON.parse(program.stdout()) as LoadResult;
        },
        stop: () => program.child.kill('SIGINT'),
      };
    },
    async underLoad() {
      const startedAt = await served();
      const deadlineMs = performance.now() + 20_000;
      while ((await served()) < startedAt + 100) assert.ok(performance.now() < deadlineMs, 'no load arrived');
    },
    command: (file, settings = {}, args = []) =>
      startProgram(file, args, { environment: { ...env, COMPOSE_PROJECT_NAME: project, ...settings } }),
    async remove() {
      await takeDown({ project, env });
      assert.deepEqual(await containers.replicas(), [], 'no container is left');
      assert.deepEqual(await networksOf(project), [], 'no network is left');
    },
  };
}

/** What a program has printed that ends with 0. */
export async function succeeds(program: Program): Promise<string> {
  assert.equal(await program.exited(120_000), 0, `${program.stdout()}${program.stderr()}`);
  return program.stdout();
}

/** @param events the proxy's, which a failure shows with the counts */
export function assertNothingLost(result: LoadResult, events: readonly ClusterEvent[] = []): void {
  const { ok, due, wrong, errorReplies, lost, strayAnswers, errors, lostBy, dropped, faultsDue } = result;
  const byPolicy = Object.entries(result.policies).map(([policy, counts]) => `${policy}: ${counts.ok} ok`);
  const startedMs = Date.parse(result.startedAt);
  const happened = events
    .filter(({ atMs }) => atMs >= startedMs)
    .map(({ atMs, type, policy, id, why }) => `${atMs - startedMs} ms: ${type} ${policy} ${id}, ${why}`);
  const counts = JSON.stringify({ ok, due, errors, lostBy, dropped, faultsDue, byPolicy });
  const seen = [counts, ...happened].join('\n');
  assert.deepEqual([wrong, lost, errorReplies, strayAnswers], [0, 0, 0, 0], seen);
  // What the generator did not manage to send is the machine's; that something was sent and answered is not.
  assert.ok(ok > 0 && dropped < due, seen);
}
