// shell · for tests with containers: what only they ask of a Compose project, and a stand-in for the program `docker`.
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { DockerCluster, Replica } from '../scripts/cluster/docker.ts';
import { attempt } from '../scripts/kit/command.ts';

const ANSWER_WITHIN_MS = 20_000;

/** The names of a Compose project's networks. */
export async function networksOf(project: string): Promise<string[]> {
  const filter = `label=com.docker.compose.project=${project}`;
  const args = ['network', 'ls', '--filter', filter, '--format', '{{.Name}}'];
  const { isOk, stdout, outcome } = await attempt('docker', args, { timeoutMs: ANSWER_WITHIN_MS });
  if (!isOk) throw new Error(`The networks could not be listed: ${outcome}.`);
  return stdout.split('\n').filter(Boolean);
}

/** The exit code of a replica's last end; while it runs Docker says 0. */
export async function exitCodeOf(cluster: DockerCluster, replica: Replica): Promise<number> {
  return (await cluster.inspect(replica)).State.ExitCode;
}

/** Cuts a replica off from all its networks. */
export async function cutOff(cluster: DockerCluster, replica: Replica): Promise<void> {
  await cluster.detach(replica, await cluster.aliasesOf(replica));
}

/**
 * A program `docker` that answers as the test says.
 * @param script a body for sh, which gets the arguments
 * @returns the PATH in which it is the first
 */
export async function fakeDocker(t: TestContext, script: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fake-docker-'));
  t.after(() => rm(folder, { recursive: true }));
  const program = join(folder, 'docker');
  await writeFile(program, `#!/bin/sh\n${script}\n`);
  await chmod(program, 0o755);
  return `${folder}${delimiter}${process.env.PATH}`;
}

/** The same for what this process starts. */
export async function useFakeDocker(t: TestContext, script: string): Promise<void> {
  const before = process.env.PATH;
  process.env.PATH = await fakeDocker(t, script);
  t.after(() => {
    process.env.PATH = before;
  });
}
